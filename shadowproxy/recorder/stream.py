"""How a streamed answer came: when its first part was there, how evenly the rest followed.

For `text/event-stream` (WHATWG HTML §9.2.6) a part is an event with data, but for the closing `[DONE]`; its time is
that of the arrival that completed it. For other answers a part is an arrival.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from shadowproxy.pairlog.record import Stream, ms

EVENT_STREAM: Final = "text/event-stream"
_BLANK_LINE: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA: Final = re.compile(rb"(?:^|[\r\n])data:? ?([^\r\n]*)")
_DONE: Final = b"[DONE]"


def stream_of(arrivals: list[tuple[int, int]], body: bytes, content_type: str | None) -> Stream | None:
    """`arrivals`: (ns since the exchange's start, bytes of the body so far); `body` as received, maybe a prefix."""
    if not arrivals:
        return None
    times = list(_events(arrivals, body)) if _is_event_stream(content_type) else [at for at, _ in arrivals]
    if not times:
        return Stream(0, None, None, None)
    gaps = [after - before for before, after in pairwise(times)]
    return Stream(
        events=len(times),
        first_token_ms=ms(times[0]),
        per_token_ms=round(sum(gaps) / len(gaps) / 1e6, 3) if gaps else None,
        max_gap_ms=ms(max(gaps)) if gaps else None,
    )


def first_part_ns(arrivals: list[tuple[int, int]], body: bytes, content_type: str | None) -> int | None:
    """When the first part was there, as `stream_of` tells it; the rest is not looked at."""
    if not arrivals:
        return None
    if not _is_event_stream(content_type):
        return arrivals[0][0]
    return next(_events(arrivals, body), None)


def _is_event_stream(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == EVENT_STREAM


def _events(arrivals: list[tuple[int, int]], body: bytes) -> Iterator[int]:
    lengths = [length for _, length in arrivals]
    start = 0
    for blank in _BLANK_LINE.finditer(body):
        data = _DATA.search(body[start : blank.start()])
        if data is not None and data[1].strip() != _DONE:
            arrival = bisect_left(lengths, blank.end())
            yield arrivals[min(arrival, len(arrivals) - 1)][0]
        start = blank.end()
