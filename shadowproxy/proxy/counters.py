"""What a worker counts: plain ints and lists, turned into `wire.messages.Stats` once a second."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

# OpenTelemetry's buckets for HTTP durations, and finer ones below, for the proxy's own time.
BUCKETS_S: Final = [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5,
    5.0, 7.5, 10.0,
]  # fmt: skip
_BUCKETS_NS: Final = [round(bound * 1e9) for bound in BUCKETS_S]


class Histogram:
    """Counts by bucket; observations in ns."""

    __slots__ = ("counts", "sum_ns")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS_NS) + 1)
        self.sum_ns = 0

    def observe(self, ns: int) -> None:
        self.counts[bisect_left(_BUCKETS_NS, ns)] += 1
        self.sum_ns += ns

    def export(self) -> tuple[list[float], list[int], float]:
        return BUCKETS_S, list(self.counts), self.sum_ns / 1e9


class RouteCounters:
    """Requests of one route by status, and how long they took."""

    __slots__ = ("codes", "durations")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.durations = Histogram()


def label(value: str) -> str:
    """A label's value as Prometheus' text format quotes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
