"""A confidence sequence for the mean of values in [0, 1] that needs no approximation: the strict sister of
`asymptotic`.

Waudby-Smith & Ramdas 2024, JRSS-B 86(1), arXiv 2010.09686, Theorem 2: predictable plug-in empirical Bernstein.

    μ̂_t = (½ + Σx)/(t+1)     σ̂²_t = (¼ + Σ(x_i − μ̂_i)²)/(t+1)     λ_t = min{ √[2·ln(2/α)/(σ̂²_{t−1}·t·ln(1+t))], ½ }
    CS_t = Σλ_i·x_i/Σλ_i ± [ln(2/α) + Σ(x_i − μ̂_{i−1})²·ψ(λ_i)]/Σλ_i     ψ(λ) = −ln(1−λ) − λ

Its half-width cannot fall below about 2·ln(2/α)/t, so that a margin m on a difference costs 4·ln(2/α)/m buckets even
where nothing varies. That is why gates use `asymptotic`, and say so.
"""

from __future__ import annotations

import math

import numpy as np

from shadowproxy.stats.arrays import Floats

_LARGEST_BET = 0.5


def sequence(x: Floats, alpha: float) -> tuple[Floats, Floats]:
    """(low, high) after each value, cut to [0, 1]; the values in the order in which they came."""
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    mean_before = np.concatenate([[0.5], mean[:-1]])
    variance_before = np.concatenate([[0.25], variance[:-1]])
    log = math.log(2 / alpha)
    bet = np.minimum(np.sqrt(2 * log / (variance_before * t * np.log1p(t))), _LARGEST_BET)
    bets = np.cumsum(bet)
    centre = np.cumsum(bet * x) / bets
    reach = (log + np.cumsum((x - mean_before) ** 2 * (-np.log1p(-bet) - bet))) / bets
    return np.clip(centre - reach, 0, 1), np.clip(centre + reach, 0, 1)
