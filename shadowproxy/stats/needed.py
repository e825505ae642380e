"""How much more is needed: the smallest multiple of what was seen that would decide the gate, if it went on alike.

With the sums S₀ over n₀ pairs, the smallest n at which the interval from S₀·n/n₀ clears the limit. Beyond `BEYOND`
times n₀ none is named: the true value is then so near the limit that more traffic will hardly decide.
"""

from __future__ import annotations

import numpy as np

from shadowproxy.stats.arrays import Bools, Floats
from shadowproxy.stats.course import Course, clears

BEYOND = 100.0
_STEPS = 256


def multiple(course: Course) -> float | None:
    """≥ 1, or None where none up to BEYOND decides."""
    n = round(course.n)
    if n <= 0:
        return None
    left, right = n, int(BEYOND * n)
    while True:
        grid = np.unique(np.rint(np.geomspace(left, right, _STEPS)))
        decided = np.flatnonzero(_decides(course, grid / n))
        if not decided.size:
            return None
        first = int(decided[0])
        if first == 0 or grid[first] - grid[first - 1] <= 1:
            return float(grid[first] / n)
        left, right = int(grid[first - 1]), int(grid[first])


def _decides(course: Course, factors: Floats) -> Bools:
    sums = course.now * factors
    method = course.method.one_look if course.is_one_look else course.method.sequence
    return clears(course.gate, method(sums, course.levels, course.gate.of.is_alike), sums[1])
