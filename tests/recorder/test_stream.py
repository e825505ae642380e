"""Figures of streamed answers, from when their bytes arrived."""

from __future__ import annotations

import pytest

from shadowproxy.pairlog.record import Stream
from shadowproxy.recorder.stream import stream_of

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
