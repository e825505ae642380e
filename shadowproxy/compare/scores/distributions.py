"""How far two probability distributions, or two samples of scores, lie apart.

    total_variation   ½ Σ|p − q|                                            0 … 1
    jensen_shannon    ½ KL(p‖m) + ½ KL(q‖m), m = ½(p + q), in nats           0 … ln 2
    kolmogorov_smirnov  the greatest gap between two empirical distributions   0 … 1
    wasserstein       the area between them: how far mass has to be moved      in the scores' own unit

The first two compare the rows of one pair; the last two compare all of one model's scores with all of the other's.
The two samples are paired, so the p-values of KS tests do not hold for them: these are effect sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log
from operator import add, mul, sub
from typing import Final

_LOG_2: Final = log(2)


def total_variation(p: Sequence[float], q: Sequence[float]) -> float:
    """Of two rows of equal length."""
    gaps: float = sum(map(abs, map(sub, p, q)))
    return gaps / 2


def jensen_shannon(p: Sequence[float], q: Sequence[float]) -> float:
    """The divergence in nats (scipy's `jensenshannon` is its square root); NaN where a probability is negative."""
    try:
        sums = list(map(add, p, q))
        entropies: float = (
            sum(map(mul, p, map(log, p))) + sum(map(mul, q, map(log, q))) - sum(map(mul, sums, map(log, sums)))
        )
    except ValueError:  # log of 0
        entropies = (
            sum(map(_x_log_x, p)) + sum(map(_x_log_x, q)) - sum(_x_log_x(x + y) for x, y in zip(p, q, strict=True))
        )
    # Σ(p + q) ln 2 stands for the halves of m; for distributions it is 2 ln 2.
    divergence = (entropies + (sum(p) + sum(q)) * _LOG_2) / 2
    return 0.0 if divergence < 0 else divergence  # rounding; NaN stays


def _x_log_x(x: float) -> float:
    return 0.0 if x == 0 else x * log(x) if x > 0 else float("nan")


def kolmogorov_smirnov(a: Sequence[float], b: Sequence[float]) -> float:
    """Of two samples of finite numbers, neither empty: ValueError."""
    left, right = _sorted(a), _sorted(b)
    i = j = 0
    widest = 0.0
    while i < len(left) and j < len(right):
        at = min(left[i], right[j])
        while i < len(left) and left[i] == at:
            i += 1
        while j < len(right) and right[j] == at:
            j += 1
        widest = max(widest, abs(i / len(left) - j / len(right)))
    return widest


def wasserstein(
    a: Sequence[float],
    b: Sequence[float],
    a_weights: Sequence[float] | None = None,
    b_weights: Sequence[float] | None = None,
) -> float:
    """The first Wasserstein distance of two samples of finite numbers, neither empty: ValueError."""
    steps: list[tuple[float, float]] = []
    for sample, weights, sign in ((a, a_weights, 1.0), (b, b_weights, -1.0)):
        _sorted(sample)
        each = weights if weights is not None else [1.0] * len(sample)
        whole = sum(each)
        steps.extend((value, sign * weight / whole) for value, weight in zip(sample, each, strict=True))
    steps.sort()
    area = height = 0.0
    for (at, step), (after, _) in pairwise(steps):
        height += step
        area += abs(height) * (after - at)
    return area


def _sorted(sample: Sequence[float]) -> list[float]:
    if not sample:
        raise ValueError("expected at least one number, there was none")
    return sorted(sample)
