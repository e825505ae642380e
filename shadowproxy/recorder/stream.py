"""How a streamed answer came: when its first part was there, how evenly the rest followed.

For `text/event-stream` (WHATWG HTML §9.2.6) a part is an event with data, but for the closing `[DONE]`; its time is
that of the arrival that completed it. For other answers a part is an arrival.
"""

from __future__ import annotations

import re
from bisect import bisect_left
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
    is_sse = content_type is not None and content_type.partition(";")[0].strip().lower() == EVENT_STREAM
    times = _event_times(arrivals, body) if is_sse else [at for at, _ in arrivals]
    if not times:
        return Stream(0, None, None, None)
    gaps = [after - before for before, after in pairwise(times)]
    return Stream(
        events=len(times),
        first_token_ms=ms(times[0]),
        per_token_ms=round(sum(gaps) / len(gaps) / 1e6, 3) if gaps else None,
        max_gap_ms=ms(max(gaps)) if gaps else None,
    )


def _event_times(arrivals: list[tuple[int, int]], body: bytes) -> list[int]:
    lengths = [length for _, length in arrivals]
    times = []
    start = 0
    for blank in _BLANK_LINE.finditer(body):
        data = _DATA.search(body[start : blank.start()])
        if data is not None and data[1].strip() != _DONE:
            arrival = bisect_left(lengths, blank.end())
            times.append(arrivals[min(arrival, len(arrivals) - 1)][0])
        start = blank.end()
    return times
