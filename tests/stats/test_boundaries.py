"""What is used beside what is not: the sequences of `stats` against other boundaries of the same papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logit

from shadowproxy.stats import bernoulli, ranks
from tests.stats import boundaries

ALPHA = 0.05


def reach(p: float, n: int) -> float:
    """How many more events than n·p the beta-binomial mixture allows, by bisection on whole and part events."""
    low, high = n * p, float(n)
    for _ in range(60):
        s = (low + high) / 2
        mixture = bernoulli.log_mixture(logit([p]), np.array([s]), np.array([float(n)]), ALPHA, bernoulli.T_OPT)
        low, high = (s, high) if float(mixture[0]) < math.log(1 / ALPHA) else (low, s)
    return low - n * p


@pytest.mark.parametrize("n", [300, 1000, 10_000, 100_000])
def test_of_even_odds_the_rates_mixture_is_nearly_the_normal_one(n: int) -> None:
    assert reach(0.5, n) == pytest.approx(boundaries.normal_mixture(n / 4, ALPHA, 1000 / 4), rel=0.02)


@pytest.mark.parametrize("n", [1000, 3000, 10_000, 100_000])
@pytest.mark.parametrize("p", [0.01, 0.1, 0.5])
def test_the_rates_mixture_is_tighter_than_what_makes_no_use_of_zeros_and_ones(p: float, n: int) -> None:
    # Sub-gamma in the scale of a Bernoulli: c = (1 − 2p)/3. One end at α/2, as the two-sided mixture's.
    variance, scale = p * (1 - p), (1 - 2 * p) / 3
    assert reach(p, n) < boundaries.poly_stitching(n * variance, ALPHA / 2, 1000 * variance, scale)


@pytest.mark.parametrize("n", [1000, 3000, 10_000, 100_000])
@pytest.mark.parametrize("p", [0.01, 0.1])
def test_of_rare_events_it_is_nearly_the_gamma_exponential_one(p: float, n: int) -> None:
    variance = p * (1 - p)
    mixture = boundaries.gamma_exponential(n * variance, ALPHA / 2, 1000 * variance, (1 - 2 * p) / 3)
    assert reach(p, n) == pytest.approx(mixture, rel=0.1)


@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.95])
def test_one_quantile_is_tighter_than_all_of_them_at_once(p: float, n: int) -> None:
    low, high = ranks.sequence_ends(n, p, ALPHA)
    assert high - n * p < boundaries.double_stitching(p, n, ALPHA, 1000)
    assert n * p - low < n * boundaries.empirical_lil(n, ALPHA, 1000)
