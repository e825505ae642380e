"""Latencies as counts: a logarithmic histogram, so that quantiles of a bucket merge by addition as all tallies do.

A bin is 0.5 % wide (2^(1/128)), the same everywhere; its value is its geometric middle. Two sides that took the same
time fall into the same bin, so a ratio of quantiles is off by 0.5 % at most, and by nothing on average.

An answer that never came in time has an infinite latency; a quantile that reaches it counts as `LONGEST_MS`, the
longest that a copy may be waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats.arrays import Floats, Ints

LONGEST_MS = 600_000.0
SHORTEST_MS = 0.001
PER_DOUBLING = 128
_SPAN = 1 << 16  # more than there are bins


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts by (time bucket, bin): parallel arrays in any order; the same place may occur twice."""

    bucket: Ints
    index: Ints
    count: Floats


class Grouped(NamedTuple):
    """Successive time buckets merged until each group held enough: where each ended, and its quantile."""

    ends: Ints  # the position of the time bucket that completed the group
    quantiles: tuple[Floats, ...]  # one array for each side


def index(ms: ArrayLike) -> Ints:
    """The bin of each latency: ⌊128·log₂(ms)⌋, cut to the range."""
    within = np.clip(np.asarray(ms, dtype=np.float64), SHORTEST_MS, LONGEST_MS)
    return np.asarray(np.floor(np.log2(within) * PER_DOUBLING), dtype=np.int64)


def value(bins: Ints) -> Floats:
    """The geometric middle of each bin, in ms."""
    return np.asarray(np.exp2((bins + 0.5) / PER_DOUBLING), dtype=np.float64)


def merged(one: Bins, other: Bins) -> Bins:
    return Bins(*(np.concatenate(pair) for pair in zip(_arrays(one), _arrays(other), strict=True)))


def quantiles(buckets: Ints, sides: tuple[Bins, ...], p: float, at_least: int) -> Grouped:
    """The p-quantile of each side, over successive buckets merged until every side holds `at_least` values.

    `buckets` is ascending; a group that is not complete has no quantile yet.
    """
    positions = [np.searchsorted(buckets, side.bucket) for side in sides]
    held = [np.bincount(at, side.count, len(buckets)) for at, side in zip(positions, sides, strict=True)]
    group, ends = _groups(np.minimum.reduce(held), at_least)
    found = (
        _of_groups(group[at], side.index, side.count, p, len(ends)) for at, side in zip(positions, sides, strict=True)
    )
    return Grouped(ends, tuple(found))


def _groups(held: Floats, at_least: int) -> tuple[Ints, Ints]:
    """(each bucket's group, the last bucket of each complete group); −1 for buckets of the incomplete one."""
    group = np.full(len(held), -1, dtype=np.int64)
    ends: list[int] = []
    first, so_far = 0, 0.0
    for position, count in enumerate(held.tolist()):
        so_far += count
        if so_far >= at_least:
            group[first : position + 1] = len(ends)
            ends.append(position)
            first, so_far = position + 1, 0.0
    return group, np.asarray(ends, dtype=np.int64)


def _of_groups(group: Ints, bins: Ints, count: Floats, p: float, groups: int) -> Floats:
    """The smallest bin of each group that at least a share p of its values does not exceed, as a value."""
    inside = group >= 0
    place = group[inside] * _SPAN + bins[inside]
    order = np.argsort(place)  # one key sorts twice as fast as two
    of_group, of_bin, counts = (values[inside][order] for values in (group, bins, count))
    reached = np.cumsum(counts)
    held = np.bincount(of_group, counts, groups)
    before = np.concatenate([[0.0], np.cumsum(held)[:-1]]) if groups else held
    wanted = before + np.maximum(np.ceil(p * held - 1e-9), 1)
    return value(of_bin[np.searchsorted(reached, wanted)])


def _arrays(bins: Bins) -> tuple[Ints, Ints, Floats]:
    return bins.bucket, bins.index, bins.count


def log_ratios(grouped: Grouped) -> Floats:
    """ln(q(candidate)/q(reference)) of each group, the candidate's side first."""
    candidate, reference = grouped.quantiles
    return np.asarray(np.log(candidate / reference), dtype=np.float64)
