"""Frames: what is packed comes out again, however the bytes are cut, and nonsense is refused."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.wire import frames
from tests.support import frames as f

UNSIGNED = {bits: st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)}
NS = st.integers(-1, 2**62)

exchanges = st.builds(
    frames.Exchange,
    role=UNSIGNED[8],
    outcome=UNSIGNED[8],
    dropped=UNSIGNED[8],
    flags=UNSIGNED[8],
    status=UNSIGNED[16],
    start=NS,
    connect=NS,
    sent=NS,
    first_byte=NS,
    total=NS,
    stalled=NS,
    head=st.binary(max_size=40),
    body=st.binary(max_size=40),
    body_bytes=UNSIGNED[64],
    error=st.binary(max_size=20),
    arrivals=st.lists(st.tuples(UNSIGNED[64], UNSIGNED[32]), max_size=3).map(
        lambda times: b"".join(frames.arrival(*time) for time in times)
    ),
)
pairs = st.builds(
    frames.Pair,
    generation=UNSIGNED[32],
    route=UNSIGNED[16],
    flags=UNSIGNED[8],
    answered_by=UNSIGNED[8],
    arrival_us=st.integers(-(2**63), 2**63 - 1),
    id=st.binary(max_size=40),
    head=st.binary(max_size=40),
    body=st.binary(max_size=40),
    body_bytes=UNSIGNED[64],
    exchanges=st.lists(exchanges, max_size=4).map(tuple),
)


def decoded(chunks: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
    """Copies: a payload lives until the next `feed`."""
    decoder = frames.Decoder()
    return [(frame.kind, frame.seq, bytes(frame.payload)) for chunk in chunks for frame in decoder.feed(chunk)]


@given(seq=UNSIGNED[64], pair=pairs)
def test_a_pair_comes_out_as_it_went_in(seq: int, pair: frames.Pair) -> None:
    [(kind, got_seq, payload)] = decoded([b"".join(frames.pack_pair(seq, pair))])
    assert (kind, got_seq) == (frames.PAIR, seq)
    assert frames.unpack_pair(memoryview(payload)) == pair


ALL = [
    (frames.hello(3, 1_772_373_600_000), (frames.HELLO, 0)),
    (frames.config(b'{"a":1}', 7), (frames.CONFIG, 7)),
    (b"".join(frames.pack_pair(1, f.pair())), (frames.PAIR, 1)),
    (frames.ledger(b"[]"), (frames.LEDGER, 0)),
    (frames.bye(), (frames.BYE, 0)),
    (frames.ack(2**63, 3), (frames.ACK, 2**63)),
]
STREAM = b"".join(data for data, _ in ALL)


def by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
def test_frames_come_out_however_they_are_cut(cut: str) -> None:
    got = decoded([STREAM] if cut == "whole" else by_byte(STREAM))
    assert [(kind, seq) for kind, seq, _ in got] == [expected for _, expected in ALL]
    assert got == decoded([STREAM])


def test_a_tail_is_kept_until_the_rest_comes() -> None:
    decoder = frames.Decoder()
    tail = frames.ack(5, 1)
    for cut in range(1, len(tail)):
        first = [frame.kind for frame in decoder.feed(frames.bye() + tail[:cut])]
        assert (first, decoder.pending) == ([frames.BYE], cut)
        [frame] = decoder.feed(tail[cut:])
        assert (frame.seq, frames.unpack_ack(frame.payload), decoder.pending) == (5, 1, 0)


@given(data=st.data())
def test_any_cuts_give_the_same_frames(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(STREAM) - 1), max_size=8)))
    chunks = [STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    assert decoded(chunks) == decoded([STREAM])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x08\0\0\0" + bytes(8), "a frame of 8 bytes"),
        ((frames.MAX_FRAME + 1).to_bytes(4, "little"), f"a frame of {frames.MAX_FRAME + 1} bytes"),
        (b"GET / HTTP/1.1\r\n", "a frame of 542393671 bytes"),
    ],
)
def test_a_length_that_no_frame_has_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(frames.FrameError, match=says):
        list(frames.Decoder().feed(data))


def test_the_decoder_keeps_to_a_limit_of_its_own() -> None:
    assert [frame.kind for frame in frames.Decoder(limit=10).feed(frames.ack(1, 0))] == [frames.ACK]
    with pytest.raises(frames.FrameError, match="a frame of 11 bytes"):
        list(frames.Decoder(limit=10).feed(frames.ledger(b"[]")))


@given(cut=st.integers(0, 400))
def test_a_pair_that_is_cut_off_is_refused(cut: int) -> None:
    payload = b"".join(frames.pack_pair(1, f.pair()))[frames.HEAD_BYTES :]
    if cut < len(payload):
        with pytest.raises(frames.FrameError):
            frames.unpack_pair(memoryview(payload)[:cut])
    else:
        with pytest.raises(frames.FrameError, match="bytes too many"):
            frames.unpack_pair(memoryview(payload + bytes(cut - len(payload) + 1)))


@given(payload=st.binary(max_size=200))
def test_random_bytes_are_a_pair_or_refused(payload: bytes) -> None:
    try:
        pair = frames.unpack_pair(memoryview(payload))
    except frames.FrameError:
        return
    assert b"".join(frames.pack_pair(0, pair))[frames.HEAD_BYTES :] == payload


@pytest.mark.parametrize("payload", [b"", b"\0" * 9, b"\0" * 11])
def test_a_hello_of_another_length_is_refused(payload: bytes) -> None:
    with pytest.raises(frames.FrameError, match=f"HELLO of {len(payload)} bytes"):
        frames.unpack_hello(memoryview(payload))


@pytest.mark.parametrize("payload", [b"", b"\0\0"])
def test_an_ack_of_another_length_is_refused(payload: bytes) -> None:
    with pytest.raises(frames.FrameError, match=f"ACK of {len(payload)} bytes"):
        frames.unpack_ack(memoryview(payload))


def test_bodies_are_not_copied_into_the_frame() -> None:
    body = bytearray(b"x" * 100_000)
    parts = frames.pack_pair(1, f.pair(f.exchange(body=body), body=body))  # type: ignore[arg-type]
    assert sum(part is body for part in parts) == 2


def test_arrivals_are_read_as_they_were_noted() -> None:
    assert frames.arrivals(frames.arrival(5, 10) + frames.arrival(2**40, 2**31)) == [(5, 10), (2**40, 2**31)]
