"""Hodges & Lehmann's estimate of where paired differences lie, with Wilcoxon's signed-rank interval. For one look.

The estimate is the median of all Walsh averages (x_i + x_j)/2, i ≤ j; with M = n(n+1)/2 of them the interval is
[W_(k), W_(M+1−k)], k the α/2 quantile of the signed-rank statistic (Hollander & Wolfe, ch. 3). Assumes differences that
are symmetric about their centre: take logarithms of ratios. The averages are n²/2, so n is bounded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shadowproxy.stats import special
from shadowproxy.stats.arrays import Floats

MOST = 5000
_EXACT_UP_TO = 60


class Location(NamedTuple):
    estimate: float
    low: float
    high: float


def hodges_lehmann(differences: Floats, alpha: float) -> Location:
    """Raises ValueError for no differences, or more than MOST of them."""
    n = len(differences)
    if not 0 < n <= MOST:
        raise ValueError(f"expected 1 to {MOST:,} differences, there were {n:,}: take a sample of them")
    left, right = np.triu_indices(n)
    walsh = np.sort((differences[left] + differences[right]) / 2)
    k = max(signed_rank_quantile(n, alpha / 2), 1)
    return Location(float(np.median(walsh)), float(walsh[k - 1]), float(walsh[len(walsh) - k]))


def signed_rank(differences: Floats) -> float:
    """V: the sum of the ranks of the positive differences among the absolute ones. Without zeros and ties."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    return float(ranks[differences > 0].sum())


def signed_rank_law(n: int) -> Floats:
    """P[V = v], v from 0 to n(n+1)/2, when every sign is a fair coin."""
    law = np.ones(1)
    for rank in range(1, n + 1):
        law = (np.concatenate([law, np.zeros(rank)]) + np.concatenate([np.zeros(rank), law])) / 2
    return law


def signed_rank_quantile(n: int, p: float) -> int:
    """The smallest v with P[V ≤ v] ≥ p; beyond 60 differences by the normal approximation."""
    if n <= _EXACT_UP_TO:
        return int(np.searchsorted(np.cumsum(signed_rank_law(n)), p * (1 - 1e-12)))
    mean, deviation = n * (n + 1) / 4, (n * (n + 1) * (2 * n + 1) / 24) ** 0.5
    return max(int(np.floor(mean + float(special.ndtri(p)) * deviation)), 0)
