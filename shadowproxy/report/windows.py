"""Stretches of time that hold about so many pairs: what is read window by window needs no more memory for a longer log.

A segment's row groups are in the order of their times, so that a condition on `ts` reads a window's part of them alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from shadowproxy.stats.arrays import Floats, Ints

PAIRS: Final = 1 << 20
_WITHIN: Final = "{ts} >= make_timestamp({since_us})::TIMESTAMPTZ AND {ts} < make_timestamp({until_us})::TIMESTAMPTZ"


def windows(buckets: Ints, counts: Floats, bucket_us: int) -> Iterator[str]:
    """SQL conditions on a column that `{ts}` stands for, one window after the other; `true` where one holds all pairs.

    `buckets` ascend and are as long as `counts`, their pairs.
    """
    window = ((counts.cumsum() - counts) // PAIRS).tolist()
    starts = [at for at in range(len(window)) if not at or window[at] != window[at - 1]]
    if len(starts) <= 1:
        yield "true"
        return
    edges = [int(buckets[at]) * bucket_us for at in starts] + [(int(buckets[-1]) + 1) * bucket_us]
    for since_us, until_us in pairwise(edges):
        yield _WITHIN.format(ts="{ts}", since_us=since_us, until_us=until_us)
