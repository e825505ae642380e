"""The course of one gate over the looks: its running interval, and what it would have said at each.

PASS stands where the running upper end is at or below the limit; FAIL where the running lower end is above it and so is
the guard; where the ends have crossed, neither (drift). A limit of 0 on events that must not happen is a rule of its
own: FAIL at the first event, PASS once there was none and the upper end is at most `NEVER`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shadowproxy.stats import asymptotic
from shadowproxy.stats.arrays import Bools, Floats, Ints
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.looks import running
from shadowproxy.stats.methods import BUCKETS, METHODS, Ends, Levels, Method
from shadowproxy.stats.metrics import Kind

NEVER = 0.001
_ROUNDING = 1e-7  # where nothing varies the ends meet, but for the last digits


@dataclass(frozen=True, slots=True)
class Course:
    """One element a look, on the gate's inner axis: logarithms for a ratio, negated where higher is better."""

    gate: Gate
    method: Method
    levels: Levels
    is_one_look: bool
    low: Floats
    high: Floats
    failed: Bools
    held: Bools
    drifted: Bools
    burst: Bools  # the lower end is above the limit, the guard is not
    sudden: Bools  # as `burst`, of the lower end that takes each trial for itself
    now: Floats  # the sums over all buckets, as one column
    counted: Floats  # what each bucket adds to the sequence over buckets: a row of x, a row of n

    @property
    def n(self) -> float:
        return float(self.now[0, 0])

    @property
    def estimate(self) -> float | None:
        """In the unit of the limit, over all buckets."""
        inner = float(self.method.estimate(self.now)[0])
        return None if math.isnan(inner) else outer(self.gate, inner)

    @property
    def is_beyond(self) -> bool:
        """Whether what was seen in all, copies that were not sent counted as events, lies beyond the limit.

        A running upper end is only as good as the assumption that nothing changes. What was seen says when it did.
        """
        seen = float(self.method.estimate(self.now)[0])
        lost = float(self.now[2, 0])
        worst = (seen * self.n + lost) / (self.n + lost) if lost else seen
        return not self.gate.is_never and worst > inner(self.gate, self.gate.limit) + _ROUNDING

    @property
    def shown(self) -> tuple[float | None, float | None]:
        """(low, high) in the unit of the limit; None where the interval has no end yet."""
        if not len(self.low):
            return None, None
        ends = (float(self.low[-1]), float(self.high[-1]))
        seen = [outer(self.gate, self._cut(end)) if math.isfinite(end) else None for end in ends]
        return (seen[1], seen[0]) if self.gate.higher_is_better else (seen[0], seen[1])

    def _cut(self, end: float) -> float:
        return min(max(end, self.method.least), self.method.most)


def run(gate: Gate, evidence: Evidence, looks: Ints, levels: Levels, *, is_one_look: bool = False) -> Course:
    """`looks`: numbers of buckets, as `looks.schedule` gives them. Raises evidence.NotCounted."""
    method = METHODS[gate.of.kind]
    rows = method.rows(evidence, gate)
    sums = np.cumsum(rows, axis=1)
    now = sums[:, -1:] if sums.shape[1] else np.zeros((sums.shape[0], 1))
    at = now if is_one_look else sums[:, looks - 1]
    ends = (method.one_look if is_one_look else method.sequence)(at, levels, gate.of.is_alike)
    limit = inner(gate, gate.limit)
    is_proven = np.maximum.accumulate(ends.guard) > limit
    has_buckets = at[BUCKETS] >= asymptotic.LEAST
    kept, least = running(_kept(ends.low, limit, is_proven, has_buckets), np.where(has_buckets, ends.high, np.inf))
    low, high = np.maximum(kept, ends.low), np.minimum(least, ends.high)
    states = _never(at, high) if gate.is_never else _limited(limit, low, high, is_proven)
    sudden = (ends.alone > limit) & ~is_proven
    return Course(gate, method, levels, is_one_look, low, high, *states, sudden, now, rows[BUCKETS + 1 : BUCKETS + 3])


def clears(gate: Gate, ends: Ends, events: Floats) -> Bools:
    """Whether ends, each on its own, decide the gate."""
    if gate.is_never:
        return np.asarray((events > 0) | (ends.high <= NEVER))
    limit = inner(gate, gate.limit)
    return np.asarray((ends.high <= limit) | ((ends.low > limit) & (ends.guard > limit)))


def _kept(low: Floats, limit: float, is_proven: Bools, has_buckets: Bools) -> Floats:
    """What of the lower ends later looks may rely on.

    Until there are buckets enough to see a burst as one, its height is not kept: it would stand for ever, against all
    that comes after. What the guard has proven by then is kept: that the limit is exceeded, and no more. Nor is an
    upper end kept from a time at which nobody could see that all of it was one quiet stretch.
    """
    proven = np.where(is_proven & (low > limit), np.nextafter(limit, np.inf), -np.inf)
    return np.where(has_buckets, low, proven)


def _limited(limit: float, low: Floats, high: Floats, is_proven: Bools) -> tuple[Bools, Bools, Bools, Bools]:
    above = low > limit
    burst = above & ~is_proven
    drifted = (low > high + _ROUNDING) & ~burst
    return above & is_proven & ~drifted, (high <= limit) & ~drifted & ~burst, drifted, burst


def _never(sums: Floats, high: Floats) -> tuple[Bools, Bools, Bools, Bools]:
    happened = sums[1] > 0
    nothing = np.zeros(happened.shape, dtype=np.bool_)
    return happened, ~happened & (high <= NEVER), nothing, nothing


def inner(gate: Gate, value: float) -> float:
    """A value in the limit's unit, on the axis of the sums."""
    return math.log(value) if gate.of.kind is Kind.RATIO else -value if gate.higher_is_better else value


def outer(gate: Gate, value: float) -> float:
    return math.exp(value) if gate.of.kind is Kind.RATIO else -value if gate.higher_is_better else value
