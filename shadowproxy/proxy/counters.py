"""What a worker counts: plain ints and lists, turned into `wire.messages.Stats` once a second."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from shadowproxy.wire.buckets import BUCKETS_S

_BUCKETS_NS: Final = [round(bound * 1e9) for bound in BUCKETS_S]


class Histogram:
    """Counts by bucket; observations in ns.

    To observe is to append to a list, without a Python call; the sweep folds the list into the buckets ten times a
    second, and sorts it for that: a third of the cost of a search for each (python -m timeit).
    """

    __slots__ = ("_counts", "_seen", "_sum_ns", "observe")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BUCKETS_NS) + 1)
        self._sum_ns = 0
        self._seen: list[int] = []
        self.observe: Callable[[int], None] = self._seen.append

    def fold(self) -> None:
        seen = self._seen
        if not seen:
            return
        self._sum_ns += sum(seen)
        seen.sort()
        at = 0
        for bucket, bound in enumerate(_BUCKETS_NS):
            end = bisect_right(seen, bound, at)
            self._counts[bucket] += end - at
            at = end
        self._counts[-1] += len(seen) - at
        seen.clear()

    def export(self) -> tuple[list[float], list[int], float]:
        self.fold()
        return BUCKETS_S, list(self._counts), self._sum_ns / 1e9


class RouteCounters:
    """Requests of one route by status, and how long they took."""

    __slots__ = ("codes", "durations")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.durations = Histogram()


def label(value: str) -> str:
    """A label's value as Prometheus' text format quotes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
