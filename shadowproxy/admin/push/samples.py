"""From a reading to plain samples, and from two readings to what happened between them.

A duration becomes how many (`…_count`) and how long in all (`…_sum`), both totals, and the quantiles of the last
interval in seconds (`…_p50`, `…_p90`, `…_p99`). A quantile lies within its bucket by linear interpolation, as
Prometheus' histogram_quantile has it; beyond the last bound it is that bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from prometheus_client.metrics_core import Metric

from shadowproxy.admin.exposition import Totals
from shadowproxy.admin.metric_names import PREFIX
from shadowproxy.admin.reading import Reading
from shadowproxy.admin.series import Labels

QUANTILES: Final = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))

Key = tuple[str, Labels]
Buckets = Sequence[tuple[float, float]]  # (upper bound in s, count up to it), +Inf last


class Sample(NamedTuple):
    name: str  # without the prefix
    labels: Labels
    value: float
    is_total: bool  # grows over the proxy's life


def samples(reading: Reading) -> Iterator[tuple[Sample, Buckets | None]]:
    """Every sample that is a number; with a `_count` come its buckets."""
    for family in Totals(reading).collect():
        if family.type == "histogram":
            yield from _durations(family)
        else:
            for one in family.samples:
                labels = tuple(one.labels.items())
                if math.isfinite(one.value):
                    yield (
                        Sample(one.name.removeprefix(PREFIX), labels, float(one.value), family.type == "counter"),
                        None,
                    )


def _durations(family: Metric) -> Iterator[tuple[Sample, Buckets]]:
    name = family.name.removeprefix(PREFIX)
    found: dict[Labels, list[tuple[float, float]]] = {}
    sums: dict[Labels, float] = {}
    for one in family.samples:
        labels = tuple((label, value) for label, value in one.labels.items() if label != "le")
        if one.name.endswith("_bucket"):
            found.setdefault(labels, []).append((float(one.labels["le"]), one.value))
        elif one.name.endswith("_sum"):
            sums[labels] = one.value
    for labels, buckets in found.items():
        yield Sample(f"{name}_count", labels, buckets[-1][1], True), buckets
        yield Sample(f"{name}_sum", labels, sums[labels], True), ()


class Interval:
    """Remembers the reading before. `FRESH_S`: a proxy younger than this has counted nothing that was missed."""

    FRESH_S: Final = 60.0

    def __init__(self) -> None:
        self._totals: dict[Key, float] | None = None
        self._buckets: dict[Key, Buckets] = {}

    def advance(self, reading: Reading) -> list[tuple[Sample, float]]:
        """(sample, what it grew by) of all; gauges grow by 0. In the first reading of a proxy that has run before
        nothing grew: what was counted until then was somebody else's to tell."""
        is_first = self._totals is None
        before = self._totals or {}
        knows = not is_first or reading.status["uptime_s"] < self.FRESH_S
        after: dict[Key, float] = {}
        out: list[tuple[Sample, float]] = []
        for sample, buckets in samples(reading):
            key = (sample.name, sample.labels)
            grown = 0.0
            if sample.is_total:
                after[key] = sample.value
                grown = max(0.0, sample.value - before.get(key, 0.0 if knows else sample.value))
            out.append((sample, grown))
            if buckets:
                if grown:
                    out += [(one, 0.0) for one in _quantiles(sample, buckets, self._buckets.get(key, ()))]
                self._buckets[key] = buckets
        self._totals = after
        self._buckets = {key: buckets for key, buckets in self._buckets.items() if key in after}
        return out


def _quantiles(count: Sample, buckets: Buckets, before: Buckets) -> Iterator[Sample]:
    earlier = dict(before)
    new = [(bound, total - earlier.get(bound, 0.0)) for bound, total in buckets]
    for share, name in QUANTILES:
        yield Sample(count.name.removesuffix("count") + name, count.labels, quantile(new, share), False)


def quantile(buckets: Buckets, share: float) -> float:
    """Of cumulative buckets that hold something."""
    rank = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, total in buckets:
        if total >= rank and total > below:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / (total - below)
        low, below = (bound, total) if bound != float("inf") else (low, total)
    return low
