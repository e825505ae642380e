"""How long the traffic remembers: how many independent time buckets the buckets that were counted are worth.

`asymptotic` corrects a variance for buckets that resemble their neighbours, by their lag-1 correlation alone. Traffic
that swings over many buckets shows little of that in one step: counting noise hides it. Merged buckets show it (the
batch means of simulation: Conway 1963, Management Science 10(1); Schmeiser 1982, Operations Research 30(3)). With v_m
the variance of the residuals of m neighbouring buckets together, over m, and corrected for lag 1 as well,

    worth = k·v_1 / max{v_m : m = 1, 2, 4, 8, 16, at least 10 merged buckets}

The sequence is trusted from `asymptotic.LEAST` independent buckets on, and a variance of ten merged ones may be half
of the true one: so twice as many are asked of buckets that are seen to resemble each other.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shadowproxy.stats import asymptotic
from shadowproxy.stats.arrays import Floats

LEAST: Final = 2 * asymptotic.LEAST
_MERGED: Final = (1, 2, 4, 8, 16)
_LEAST_MERGED: Final = 10
_SEEN: Final = 2.326  # standard deviations of a lag-1 correlation: chance is as large once in a hundred times


def worth(x: Floats, n: Floats) -> float | None:
    """Of buckets with the sums x over n trials each; None where they are not seen to resemble each other."""
    some = n > 0
    events, trials = x[some], n[some]
    k = len(events)
    if k < asymptotic.LEAST:
        return None
    residuals = events - events.sum() / trials.sum() * trials
    plain, likeness = _varies(residuals, 1)
    if plain <= 0 or likeness * np.sqrt(k) < _SEEN:
        return None
    long_run = max(
        variance * (1 + like) / (1 - like)
        for variance, like in (_varies(residuals, merged) for merged in _MERGED if k // merged >= _LEAST_MERGED)
    )
    return float(k * plain / long_run)


def _varies(residuals: Floats, merged: int) -> tuple[float, float]:
    """(variance of `merged` neighbours together, for each of them; their lag-1 correlation, from 0 to below 1)."""
    groups = len(residuals) // merged
    sums = residuals[len(residuals) - groups * merged :].reshape(groups, merged).sum(axis=1)
    sums = sums - sums.mean()
    square = float(sums @ sums)
    raw = float(sums[1:] @ sums[:-1]) / square if square > 0 else 0.0
    likeness = raw + (1 + 3 * raw) / groups  # Kendall 1954, as in `asymptotic`
    return square / (groups - 1) / merged, float(np.clip(likeness, 0, asymptotic.MOST_CORRELATED))
