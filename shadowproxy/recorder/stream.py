"""How a streamed answer came: when its first part was there, how evenly the rest followed.

For `text/event-stream` a part is an event with data (not the closing `[DONE]`); its time is that of the arrival that
completed it. Of a protocol that is known the first token is the first event that carries a piece of the answer, and the
server's own count of tokens divides the time from there to the last such event; else every event is one. For other
answers, and for streams whose content coding hides where events end, a part is an arrival.

An answer that comes in pieces is not yet a stream: one whose length stood in its head was whole before it was sent
(MLServer and LiteLLM send head and body apart), and one piece has no course.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress, pairwise

from shadowproxy.compare.streams.events import MEDIA_TYPE, events, iter_events
from shadowproxy.compare.streams.folded import Shape
from shadowproxy.pairlog.record import Stream, ms


def stream_of(
    arrivals: list[tuple[int, int]],
    body: bytes,
    content_type: str | None,
    shape: Shape | None = None,
    has_length: bool = False,
) -> Stream | None:
    """`arrivals`: (ns since the exchange's start, bytes of the body so far); `body` as received, maybe a prefix;
    `has_length`: its head gave a Content-Length.

    `shape` is what comparison read of the same bytes, None where it read nothing. An empty body stands for one whose
    events cannot be told.
    """
    if not arrivals:
        return None
    is_sse = _is_event_stream(content_type)
    if not is_sse and (has_length or len(arrivals) < 2):
        return None
    if not is_sse or not body:
        times = [at for at, _ in arrivals]
        return _stream(len(times), times, None)
    if shape is None:
        times = _times(arrivals, [event.end for event in events(body, whole=True)])
        return _stream(len(times), times, None)
    times = _times(arrivals, shape.ends)
    return _stream(len(times), list(compress(times, shape.carries)), shape.tokens)


def first_part_ns(
    arrivals: list[tuple[int, int]], body: bytes, content_type: str | None, has_length: bool = False
) -> int | None:
    """When the first part was there, whatever it carried; the rest is not looked at."""
    if not arrivals:
        return None
    if not _is_event_stream(content_type):
        return None if has_length or len(arrivals) < 2 else arrivals[0][0]
    first = next(iter_events(body, whole=True), None)
    return None if first is None else _times(arrivals, [first.end])[0]


def _is_event_stream(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def _times(arrivals: list[tuple[int, int]], ends: Sequence[int]) -> list[int]:
    lengths = [length for _, length in arrivals]
    last = len(arrivals) - 1
    return [arrivals[min(bisect_left(lengths, end), last)][0] for end in ends]


def _stream(count: int, times: list[int], tokens: int | None) -> Stream:
    """`times` are those of the parts that carry something."""
    parts = tokens if tokens is not None else len(times)
    return Stream(
        events=count,
        first_token_ms=ms(times[0]) if times else None,
        per_token_ms=round((times[-1] - times[0]) / (parts - 1) / 1e6, 3) if times and parts > 1 else None,
        max_gap_ms=ms(max(after - before for before, after in pairwise(times))) if len(times) > 1 else None,
        tokens=tokens,
    )
