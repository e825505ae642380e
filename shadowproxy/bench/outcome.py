"""What came of a window: the record that every figure is folded from."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from shadowproxy.bench.histogram import Histogram

MAX_SLICES: Final = 240  # of time; more are merged in pairs
SLICE_S: Final = 0.25


@dataclass(slots=True)
class Slice:
    """A stretch of the window: answers that arrived in it."""

    latency: Histogram = field(default_factory=Histogram)
    failed: int = 0


@dataclass(slots=True)
class Stream:
    """Answers that came as events. Gaps are between arrivals, of one event or of several together."""

    events: int = 0
    first: Histogram = field(default_factory=Histogram)  # from when the request was due
    gaps: Histogram = field(default_factory=Histogram)


@dataclass(slots=True)
class Outcome:
    """Latencies count from the time a request was due. One that never came counts with the time it was waited for,
    which is less than it would have taken."""

    duration_s: float = 0.0
    offered: int = 0
    offered_with_warmup: int = 0
    answered_in_window: int = 0  # answers that arrived during the window, whenever they were due
    statuses: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    errors: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    latency: Histogram = field(default_factory=Histogram)
    late: Histogram = field(default_factory=Histogram)  # how long after it was due a request left, a connection free
    backlog_peak: int = 0  # most requests that were due and had no free connection
    slice_s: float = SLICE_S
    slices: list[Slice] = field(default_factory=list)
    stream: Stream | None = None

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    @property
    def ok(self) -> int:
        """Answers below 400."""
        return sum(count for status, count in self.statuses.items() if status < 400)

    @property
    def failed(self) -> int:
        return self.answered - self.ok + sum(self.errors.values())

    def add(self, latencies_ns: array[int], at_s: float, failed: int = 0) -> None:
        """Answers that arrived around `at_s` of the window."""
        while int(at_s / self.slice_s) >= MAX_SLICES:
            self._halve()
        index = max(0, int(at_s / self.slice_s))
        while len(self.slices) <= index:
            self.slices.append(Slice())
        self.slices[index].latency.add(latencies_ns)
        self.slices[index].failed += failed
        self.latency.add(latencies_ns)

    def _halve(self) -> None:
        merged = []
        for first, *rest in (self.slices[k : k + 2] for k in range(0, len(self.slices), 2)):
            for other in rest:
                first.latency.merge(other.latency)
                first.failed += other.failed
            merged.append(first)
        self.slices, self.slice_s = merged, 2 * self.slice_s

    def merge(self, other: Outcome) -> None:
        """Another window of the same load, later: its slices follow."""
        for name in ("duration_s", "offered", "offered_with_warmup", "answered_in_window"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for status, count in other.statuses.items():
            self.statuses[status] += count
        for kind, count in other.errors.items():
            self.errors[kind] += count
        self.latency.merge(other.latency)
        self.late.merge(other.late)
        self.backlog_peak = max(self.backlog_peak, other.backlog_peak)
        self.slices += other.slices
        if other.stream is not None:
            self.stream = self.stream or Stream()
            self.stream.events += other.stream.events
            self.stream.first.merge(other.stream.first)
            self.stream.gaps.merge(other.stream.gaps)

    def as_dict(self, quantiles: tuple[float, ...] = (0.5, 0.9, 0.99)) -> dict[str, object]:
        """For JSON; quantiles in ms, keyed as p50, p99; null where nothing was answered."""
        found = self.latency.quantiles_ms(quantiles)
        return {
            "offered": self.offered,
            "offered_with_warmup": self.offered_with_warmup,
            "answered_in_window": self.answered_in_window,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "errors": dict(sorted(self.errors.items())),
            "backlog_peak": self.backlog_peak,
            "latency_ms": {f"p{share * 100:g}": value for share, value in zip(quantiles, found, strict=True)},
            "late_p99_ms": self.late.quantile_ms(0.99),
        }
