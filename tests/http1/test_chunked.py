from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.http1.chunked import ChunkedDecoder, ChunkedError, encode, last_chunk

LIMIT = 256

Fields = list[tuple[bytes, bytes]]


def decoded(wire: bytes, cuts: list[int] | None = None) -> tuple[bytes, bool, bytes, Fields]:
    """Body, done, what followed, trailers; `cuts` are where the reads end."""
    decoder = ChunkedDecoder(LIMIT)
    body, rest, at = b"", b"", 0
    for end in [*sorted(set(cuts or [])), len(wire)]:
        piece, at = wire[at:end], end
        if decoder.done:
            rest += piece
            continue
        body += b"".join(decoder.feed(piece))
        if decoder.done:
            rest = decoder.rest
    return body, decoder.done, rest, decoder.trailers


GOOD: list[tuple[bytes, bytes, Fields]] = [
    (b"0\r\n\r\n", b"", []),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello", []),
    (b"005\r\nhello\r\n000\r\n\r\n", b"hello", []),
    (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789", []),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", []),
    (b"1;name=value\r\nx\r\n0;last\r\n\r\n", b"x", []),
    (b'1;a="b;c\t\xff"\r\nx\r\n0\r\n\r\n', b"x", []),
    (b"1;\r\nx\r\n0\r\n\r\n", b"x", []),
    (b"1\r\nx\r\n0\r\nX-Sum: 7\r\nx-b:\r\n\r\n", b"x", [(b"X-Sum", b"7"), (b"x-b", b"")]),
    (b"0\r\nX: \t a b \t\r\n\r\n", b"", [(b"X", b"a b")]),
    (b"0\r\nContent-Length: 5\r\nHost: b\r\nX: 1\r\nCookie: a\r\n\r\n", b"", [(b"X", b"1")]),
    (b"000000000000001\r\nx\r\n0\r\n\r\n", b"x", []),
]


@pytest.mark.parametrize(("wire", "body", "trailers"), GOOD)
def test_a_body_is_the_same_whole_byte_by_byte_and_with_a_tail(wire: bytes, body: bytes, trailers: Fields) -> None:
    assert decoded(wire) == (body, True, b"", trailers)
    assert decoded(wire, list(range(1, len(wire)))) == (body, True, b"", trailers)
    tail = b"GET / HTTP/1.1\r\n\r\n"
    assert decoded(wire + tail) == (body, True, tail, trailers)
    assert decoded(wire + tail, list(range(1, len(wire + tail)))) == (body, True, tail, trailers)


@pytest.mark.parametrize(("wire", "body", "trailers"), GOOD)
def test_a_body_without_its_end_is_not_done(wire: bytes, body: bytes, trailers: Fields) -> None:
    for end in range(len(wire)):
        assert not decoded(wire[:end])[1]


PIECES = st.lists(st.binary(min_size=1, max_size=50), max_size=8)
TRAILERS = st.lists(
    st.tuples(st.sampled_from([b"X-A", b"x-b", b"ETag"]), st.sampled_from([b"", b"1", b"a b", b"\xff"])), max_size=3
)


@given(PIECES, TRAILERS, st.binary(max_size=30), st.lists(st.integers(0, 500), max_size=12))
def test_what_is_encoded_is_decoded_however_it_is_cut(
    pieces: list[bytes], trailers: Fields, tail: bytes, cuts: list[int]
) -> None:
    wire = encode(pieces) + last_chunk(trailers) + tail
    inside = [cut for cut in cuts if 0 < cut < len(wire)]
    assert decoded(wire, inside) == (b"".join(pieces), True, tail, trailers)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_bytes_fare_alike_however_they_are_cut(wire: bytes, cuts: list[int]) -> None:
    """A fault may be seen earlier in smaller reads, but what is refused in one is never accepted in the other."""

    def fate(cuts: list[int]) -> object:
        try:
            body, done, rest, _ = decoded(wire, cuts)
        except ChunkedError:
            return "refused"
        return body, done, rest

    assert fate([cut for cut in cuts if 0 < cut < len(wire)]) == fate([])


MALFORMED = [
    b"\r\n",
    b"x\r\n",
    b"-1\r\n",
    b"+1\r\n",
    b"0x1\r\n",
    b" 1\r\n",
    b"1 \r\n",
    b"1 ;a\r\n",
    b"1\t\r\n",
    b"1,1\r\n",
    b"1\n",
    b"1\rx",
    b"1;a\nb\r\n",
    b"1;a\0\r\n",
    b"1;a\x7f\r\n",
    b"1;a\rb\r\n",
    b"1000000000000000\r\n",
    b"ffffffffffffffffff\r\n",
    b"1\r\nxy\r\n",
    b"1\r\nx\n",
    b"1\r\nx0\r\n\r\n",
    b"1\r\nx\r0\r\n\r\n",
    b"0\r\nX\r\n\r\n",
    b"0\r\n: 1\r\n\r\n",
    b"0\r\nX : 1\r\n\r\n",
    b"0\r\n X: 1\r\n\r\n",
    b"0\r\nX: 1\r\n folded\r\n\r\n",
    b"0\r\nX: a\0\r\n\r\n",
    b"0\r\nX: a\nY: b\r\n\r\n",
    b"0\r\nX: a\rb\r\n\r\n",
    b"0\r\n\n",
    b"0\r\nGET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("wire", MALFORMED)
@pytest.mark.parametrize("good", [b"", b"3\r\nabc\r\n"])
def test_what_is_malformed_is_refused_in_every_way(wire: bytes, good: bytes) -> None:
    raw = good + wire
    for way in (raw, raw + b"0\r\n\r\n"):
        for cuts in ([], list(range(1, len(way)))):
            with pytest.raises(ChunkedError):
                decoded(way, cuts)


@pytest.mark.parametrize(
    "begun", [b"1\r", b"1;abc", b"1;abc\r", b"", b"f", b"1\r\nx", b"1\r\nx\r", b"0\r\nX: 1", b"0\r\nX"]
)
def test_a_good_beginning_is_waited_for(begun: bytes) -> None:
    assert not decoded(begun, list(range(1, len(begun))))[1]


# -- the meter


@pytest.mark.parametrize("way", ["whole", "halves", "bytes"])
@pytest.mark.parametrize(
    "wire",
    [
        b"1;" + b"a" * LIMIT + b"\r\nx\r\n0\r\n\r\n",
        b"1;" + b"a" * LIMIT,
        b"0\r\nX: " + b"a" * LIMIT + b"\r\n\r\n",
        b"0\r\n" + b"X: 1\r\n" * LIMIT + b"\r\n",
        b"0\r\nX: " + b"a" * LIMIT,
    ],
)
def test_bytes_that_bring_no_body_are_bounded(wire: bytes, way: str) -> None:
    cuts = {"whole": [], "halves": [len(wire) // 2], "bytes": list(range(1, len(wire)))}[way]
    with pytest.raises(ChunkedError, match="more than 256 bytes came without any of the body"):
        decoded(wire, cuts)


def test_the_meter_starts_anew_with_each_byte_of_the_body() -> None:
    chunk = b"1;" + b"a" * (LIMIT // 2) + b"\r\nx\r\n"
    assert decoded(chunk * 10 + b"0\r\n\r\n")[:2] == (b"x" * 10, True)


def test_pieces_are_handed_out_as_they_come() -> None:
    decoder = ChunkedDecoder(LIMIT)
    assert decoder.feed(b"5\r\nhe") == [b"he"]
    assert decoder.feed(b"llo\r\n3\r\nabc") == [b"llo", b"abc"]
    assert decoder.feed(b"\r\n") == []
    assert decoder.feed(b"0\r\n\r\nrest") == []
    assert decoder.rest == b"rest"


# -- the encoder


def test_an_empty_piece_is_no_chunk_for_it_would_end_the_body() -> None:
    assert encode([b"ab", b"", b"c" * 16]) == b"2\r\nab\r\n10\r\ncccccccccccccccc\r\n"
    assert encode([]) == encode([b""]) == b""


def test_the_last_chunk_carries_the_trailers() -> None:
    assert last_chunk([]) == b"0\r\n\r\n"
    assert last_chunk([(b"X-Sum", b"7"), (b"Y", b"")]) == b"0\r\nX-Sum: 7\r\nY: \r\n\r\n"


@pytest.mark.parametrize("seed", range(40))
def test_many_tiny_chunks_in_one_read_are_what_they_are_one_by_one(seed: int) -> None:
    """Some with extensions, zeros or capitals, some longer, and at the end a fault, a tail or nothing."""
    lot = random.Random(seed)
    heads = [b"%x", b"%x", b"%x", b"%x", b"%x", b"%x", b"%X", b"0%x", b"%x;a", b"%x;b=c"]
    bodies = [lot.randbytes(lot.choice((1, 1, 2, 7, 15, 16, 40))) for _ in range(lot.randint(1, 400))]
    wire = b"".join(lot.choice(heads) % len(body) + b"\r\n" + body + b"\r\n" for body in bodies)
    end = lot.choice((b"", b"0\r\n\r\ntail", b"0\r\nX-A: b\r\n\r\n", b"1\r\nab\r\n", b"1\r\na\rb", b"g\r\n", b"2\r\na"))

    def read(size: int) -> tuple[bytes, bool, list[tuple[bytes, bytes]], bool]:
        decoder, got = ChunkedDecoder(1000), []
        try:
            for at in range(0, len(wire + end), size):
                got += decoder.feed((wire + end)[at : at + size])
        except ChunkedError:
            return b"".join(got)[:0], decoder.done, decoder.trailers, True
        return b"".join(got), decoder.done, decoder.trailers, False

    assert read(1 << 20) == read(1) == read(100) == read(7)
    if end in (b"", b"0\r\n\r\ntail"):
        assert read(1 << 20)[0] == b"".join(bodies)


def test_many_pieces_of_one_read_become_one_and_are_counted() -> None:
    decoder = ChunkedDecoder(1000)
    assert decoder.feed(b"1\r\na\r\n" * 1000 + b"1;x\r\nb\r\n" * 10) == [b"a" * 1000 + b"b" * 10]
    assert decoder.chunks == 1010
    assert decoder.feed(b"2\r\ncd\r\n1\r\ne") == [b"cd", b"e"]
    assert decoder.chunks == 2
