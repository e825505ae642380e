"""Figures of streamed answers, from when their bytes arrived."""

from __future__ import annotations

import pytest

from shadowproxy.compare.lift import lift_events
from shadowproxy.pairlog.record import Stream
from shadowproxy.recorder.stream import first_part_ns, stream_of

MS = 1_000_000
SSE = "text/event-stream; charset=utf-8"
EVENTS = b"data: one\n\ndata: two\n\n: keep-alive\n\ndata: three\n\ndata: [DONE]\n\n"


def at(*times: tuple[float, int]) -> list[tuple[int, int]]:
    return [(int(ms * MS), length) for ms, length in times]


def test_without_arrivals_there_is_nothing_to_say() -> None:
    assert stream_of([], b"", SSE) is None


def test_events_count_when_they_are_whole() -> None:
    # 11 bytes each; a comment of 14; the third ends at 49, [DONE] at 63.
    arrivals = at((10, 5), (20, 22), (50, 49), (60, 63))
    assert stream_of(arrivals, EVENTS, SSE) == Stream(3, 20.0, 15.0, 30.0)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_the_standard_allows(newline: bytes) -> None:
    body = EVENTS.replace(b"\n", newline)
    stream = stream_of(at((5, len(body))), body, SSE)
    assert stream is not None
    assert (stream.events, stream.first_token_ms, stream.max_gap_ms) == (3, 5.0, 0.0)


def test_one_event_has_no_gaps() -> None:
    assert stream_of(at((7, 100)), b"event: x\ndata: y\n\n", SSE) == Stream(1, 7.0, None, None)


def test_a_stream_without_events_says_so() -> None:
    assert stream_of(at((7, 10)), b": nothing\n\n", SSE) == Stream(0, None, None, None)


def test_of_other_answers_each_arrival_counts() -> None:
    arrivals = at((10, 1), (12, 2), (20, 3))
    assert stream_of(arrivals, b"abc", "application/x-ndjson") == Stream(3, 10.0, 5.0, 8.0)
    assert stream_of(arrivals, b"abc", None) == Stream(3, 10.0, 5.0, 8.0)


def test_a_body_of_which_only_the_beginning_was_kept_counts_what_is_there() -> None:
    assert stream_of(at((1, 11), (9, 5000)), b"data: one\n\ndata: tw", SSE) == Stream(1, 1.0, None, None)


CHAT = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"b c"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"completion_tokens":4}}\n\n',
    b"data: [DONE]\n\n",
)


@pytest.mark.parametrize(("pieces", "per_token", "tokens"), [(CHAT, 10.0, 4), (CHAT[:4], 30.0, None)])
def test_of_a_known_protocol_tokens_count(pieces: tuple[bytes, ...], per_token: float, tokens: int | None) -> None:
    body = b"".join(pieces)
    ends = [len(b"".join(pieces[: n + 1])) for n in range(len(pieces))]
    arrivals = at(*((10 + 30 * n, end) for n, end in enumerate(ends)))
    shape = lift_events(body, ["openai-chat"]).stream
    # The role comes at 10 ms and carries nothing; the first piece at 40 ms, the last at 70 ms.
    # 30 ms for 4 tokens are 10 ms each after the first; without usage 2 events are 2 tokens.
    assert stream_of(arrivals, body, SSE, shape) == Stream(min(len(pieces), 5), 40.0, per_token, 30.0, tokens)


def test_events_below_a_content_coding_are_arrivals() -> None:
    assert stream_of(at((10, 1), (12, 2)), b"", SSE) == Stream(2, 10.0, 2.0, 2.0)


def test_an_answer_in_pieces_is_not_yet_a_stream() -> None:
    arrivals = at((10, 1), (12, 2), (20, 3))
    assert stream_of(arrivals, b"abc", "application/json", has_length=True) is None  # it was whole before it was sent
    assert stream_of(arrivals[:1], b"abc", "application/json") is None  # one piece
    assert first_part_ns(arrivals, b"abc", "application/json", has_length=True) is None
    assert first_part_ns(arrivals, b"abc", "application/json") == 10 * MS
    assert stream_of(at((7, 17)), b"event: x\ndata: y\n\n", SSE, has_length=True) == Stream(1, 7.0, None, None)


def test_a_server_that_counts_no_tokens_does_not_count_them() -> None:
    lifted = lift_events(b"".join(CHAT).replace(b'"completion_tokens":4', b'"completion_tokens":0'), ["openai-chat"])
    assert lifted.stream is not None
    assert lifted.stream.tokens is None
