"""When statistics are looked at: after the closed buckets 1…100, then whenever their number has grown by 1 %.

Law: what a report says is a function of the sequence of closed buckets, never of when somebody asked for it. So looks
are fixed numbers of buckets, and an interval is the best of all looks so far: the running maximum of the lower ends
and the running minimum of the upper ends. It never widens, and a verdict never turns back; where the two cross, the
rate has changed under the sequence's feet (`drift`).
"""

from __future__ import annotations

import numpy as np

from shadowproxy.stats.arrays import Floats, Ints

EVERY_UP_TO = 100


def schedule(closed: int) -> Ints:
    """The numbers of closed buckets at which there is a look, up to `closed`: 1, 2, …, 100, 101, 103, 105, …"""
    numbers = []
    number = 1
    while number <= closed:
        numbers.append(number)
        number = _next(number)
    return np.asarray(numbers, dtype=np.int64)


def following(closed: int) -> int:
    """The first look after so many closed buckets."""
    number = 1
    while number <= closed:
        number = _next(number)
    return number


def running(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The intersection of all intervals so far, at each look."""
    return np.maximum.accumulate(low), np.minimum.accumulate(high)


def _next(number: int) -> int:
    return number + (1 if number < EVERY_UP_TO else -(-number // 100))
