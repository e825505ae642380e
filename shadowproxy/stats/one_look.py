"""Intervals for a closed log that is looked at once: narrower than a sequence, and void if somebody looked before.

rate                 Clopper & Pearson 1934, exact: quantiles of Beta(s, n−s+1) and Beta(s+1, n−s)
paired difference    Tango 1998, Statistics in Medicine 17: the δ at which the score statistic is ±z. From b, c, n
                     alone, right also where b or c is 0
the same, 2×2 table  Newcombe 1998, Statistics in Medicine 17, method 10 (square and add of Wilson intervals)
ratio over buckets   Student's t on the residuals of `asymptotic`
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats import asymptotic, special
from shadowproxy.stats.arrays import Floats, floats
from shadowproxy.stats.roots import crossing

RATE, DIFFERENCE, RATIO = (
    "Clopper-Pearson, one look",
    "Tango score, one look",
    "Student's t over time buckets, one look",
)
_EDGE = 1e-9


def rate(successes: ArrayLike, trials: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    s, n = floats(successes), floats(trials)
    with np.errstate(invalid="ignore"):
        low = np.where(s > 0, special.betaincinv(s, n - s + 1, alpha / 2), 0.0)
        high = np.where(s < n, special.betaincinv(s + 1, n - s, 1 - alpha / 2), 1.0)
    return low, high


def difference(b: ArrayLike, c: ArrayLike, n: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Of P(only b) − P(only c); (−1, 1) without trials."""
    z = float(special.ndtri(1 - alpha / 2))
    heads, tails, trials = floats(b), floats(c), floats(n)
    low = _tango(heads, tails, trials, z)
    high = _tango(heads, tails, trials, -z)
    return np.where(np.isnan(low), -1.0, low), np.where(np.isnan(high), 1.0, high)


def _tango(b: Floats, c: Floats, n: Floats, level: float) -> Floats:
    """δ at which T(δ) = level, T = (b − c − nδ)/√(n·[2q + δ(1−δ)]), q the likeliest P(only c) given δ."""

    def score(delta: Floats) -> Floats:
        linear = -b - c + (2 * n - b + c) * delta
        constant = -c * delta * (1 - delta)
        q = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0)) - linear) / np.maximum(4 * n, 1)
        variance = np.maximum(n * (2 * q + delta * (1 - delta)), 1e-300)
        return np.asarray((b - c - n * delta) / np.sqrt(variance) - level, dtype=np.float64)

    edge = np.full(b.shape, 1 - _EDGE)
    return crossing(score, -edge, edge)


def newcombe(a: int, b: int, c: int, d: int, alpha: float) -> tuple[float, float, float]:
    """(estimate, low, high) of p₁ − p₂ with p₁ = (a+b)/n and p₂ = (a+c)/n."""
    n = a + b + c + d
    p1, p2 = (a + b) / n, (a + c) / n
    (l1, u1), (l2, u2) = _wilson(p1, n, alpha), _wilson(p2, n, alpha)
    square = (a + b) * (c + d) * (a + c) * (b + d)
    excess = a * d - b * c
    psi = 0.0
    if square > 0 and excess != 0:
        psi = (max(excess - n / 2, 0) if excess > 0 else excess) / math.sqrt(square)
    below = math.hypot(p1 - l1, u2 - p2) ** 2 - 2 * psi * (p1 - l1) * (u2 - p2)
    above = math.hypot(u1 - p1, p2 - l2) ** 2 - 2 * psi * (u1 - p1) * (p2 - l2)
    return p1 - p2, p1 - p2 - math.sqrt(max(below, 0)), p1 - p2 + math.sqrt(max(above, 0))


def _wilson(p: float, n: int, alpha: float) -> tuple[float, float]:
    z = float(special.ndtri(1 - alpha / 2))
    centre, reach = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - reach) / (1 + z * z / n), (centre + reach) / (1 + z * z / n)


def ratio(sums: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Of Σx/Σn over buckets; (−∞, ∞) before `asymptotic.LEAST` of them. `sums` as there."""
    k = sums[0]
    enough = k >= asymptotic.LEAST
    t = special.stdtrit(np.where(enough, k, asymptotic.LEAST) - 1, 1 - alpha / 2)
    with np.errstate(invalid="ignore"):
        reach = np.where(enough, t * asymptotic.spread(sums) / np.sqrt(np.maximum(k, 1)), np.inf)
    centre = np.where(enough, asymptotic.ratio(sums), 0.0)
    return centre - reach, centre + reach


def coin_p(heads: ArrayLike, tails: ArrayLike) -> Floats:
    """P[Bin(heads + tails, 1/2) ≥ heads]: one-sided, one look."""
    h, t = floats(heads), floats(tails)
    return np.where(h > 0, special.betainc(np.maximum(h, 1e-9), t + 1, 0.5), 1.0)
