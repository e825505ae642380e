"""Durations in buckets whose bounds grow by a constant factor.

Law: a quantile that is read off a histogram is at most 0.28 % away from the same quantile of the values themselves, and
the smallest, the largest and the mean are exact. There are 128 buckets to each doubling, from 1 µs to over 1000 s;
a bucket is given as its geometric middle, so the error is at most a factor of 2^(1/256) = 1.0027. What is shorter than
1 µs counts as 1 µs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PER_DOUBLING: Final = 128
_SHORTEST_NS: Final = 1000
_BUCKETS: Final = 30 * PER_DOUBLING  # 2^30 µs = 1074 s; what is longer is in the last


class Histogram:
    __slots__ = ("_counts", "count", "largest_ns", "smallest_ns", "sum_ns")

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(_BUCKETS, dtype=np.int64)
        self.count = 0
        self.sum_ns = 0
        self.smallest_ns = 0
        self.largest_ns = 0

    def add(self, values_ns: Any) -> None:
        """Takes a sequence of integers, as fast as its buffer can be read."""
        values = np.array(values_ns, dtype=np.int64)
        if not len(values):
            return
        smallest, largest = int(values.min()), int(values.max())
        self.smallest_ns = min(self.smallest_ns, smallest) if self.count else smallest
        self.largest_ns = max(self.largest_ns, largest)
        self.count += len(values)
        self.sum_ns += int(values.sum())
        where = np.log2(np.maximum(values, _SHORTEST_NS) / _SHORTEST_NS) * PER_DOUBLING
        self._counts += np.bincount(np.minimum(where.astype(np.int64), _BUCKETS - 1), minlength=_BUCKETS)

    def merge(self, other: Histogram) -> None:
        if not other.count:
            return
        self.smallest_ns = min(self.smallest_ns, other.smallest_ns) if self.count else other.smallest_ns
        self.largest_ns = max(self.largest_ns, other.largest_ns)
        self.count += other.count
        self.sum_ns += other.sum_ns
        self._counts += other._counts

    @property
    def mean_ms(self) -> float | None:
        return self.sum_ns / self.count / 1e6 if self.count else None

    def quantiles_ms(self, shares: Sequence[float]) -> list[float | None]:
        """By nearest rank, each share in 0…1; None where nothing was counted."""
        if not self.count:
            return [None] * len(shares)
        below = np.cumsum(self._counts)
        # ceil(share · n), but 0.95 · 20 must not become 19.000000000000004.
        ranks = [min(self.count, max(1, math.ceil(round(share * self.count, 6)))) for share in shares]
        buckets = np.searchsorted(below, ranks)
        middles = _SHORTEST_NS * 2 ** ((buckets + 0.5) / PER_DOUBLING)
        return [float(each) / 1e6 for each in np.clip(middles, self.smallest_ns, self.largest_ns)]

    def quantile_ms(self, share: float) -> float | None:
        return self.quantiles_ms([share])[0]
