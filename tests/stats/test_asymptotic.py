from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import asymptotic, bernstein
from shadowproxy.stats.arrays import Floats
from shadowproxy.stats.asymptotic import LEAST, bucket_rows, half_width, lag_1, ratio, rho, sequence, spread
from tests.stats import boundaries

ALPHA = 0.05


def sums_of(x: Floats, n: Floats) -> Floats:
    return np.cumsum(bucket_rows(x, n), axis=1)


def test_it_is_the_normal_mixture_in_another_dress() -> None:
    # Of a sum of k values of variance 1 within ρ = 12.60056; ours is the half-width of their mean, and its ρ is 1/√ρ.
    k = [20, 100, 1000, 10**6]
    mixture = [boundaries.normal_mixture(v, ALPHA, 100) for v in k]
    assert half_width(k, ALPHA, boundaries.mixture_rho(100, ALPHA) ** -0.5) * k == pytest.approx(mixture, rel=1e-9)
    assert rho(ALPHA, 100) == pytest.approx(boundaries.mixture_rho(100, ALPHA) ** -0.5)


def test_the_price_beside_a_single_look() -> None:
    # What the module says of TIGHTEST_AT: 1.55 to 1.77 times a z-interval, which is 1.96/√k wide.
    k = np.array([20.0, 50, 100, 240, 1000, 5000])
    price = half_width(k, ALPHA, rho(ALPHA)) * np.sqrt(k) / 1.959964
    assert price.min() > 1.54
    assert price.max() < 1.78


def test_the_ratio_weighs_buckets_by_their_requests() -> None:
    sums = sums_of(np.array([1.0, 0.0, 30.0]), np.array([10.0, 0.0, 90.0]))
    assert ratio(sums) == pytest.approx([0.1, 0.1, 0.31])
    assert sums[0].tolist() == [1, 1, 2]  # the empty bucket is no value


def test_the_spread_is_that_of_the_residuals() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(50, 150, 400).astype(float)
    x = 0.3 * n + rng.standard_normal(400) * 5
    sums = sums_of(x, n)
    r = x.sum() / n.sum()
    independent = np.std(x - r * n, ddof=1) / n.mean()
    assert abs(lag_1(sums)[-1]) < 0.1
    assert spread(sums)[-1] == pytest.approx(independent, rel=0.11)
    assert spread(sums)[-1] >= independent * (1 - 1e-9)


def test_buckets_that_resemble_their_neighbours_widen_it() -> None:
    rng = np.random.default_rng(5)
    x, noise = np.zeros(4000), rng.standard_normal(4000)
    for i in range(1, 4000):
        x[i] = 0.6 * x[i - 1] + noise[i]
    sums = sums_of(x, np.ones(4000))
    assert lag_1(sums)[-1] == pytest.approx(0.6, abs=0.05)
    # An AR(1) mean varies (1 + φ)/(1 − φ) = 4 times as much: a spread of √4 times the plain one.
    assert spread(sums)[-1] == pytest.approx(2 * x.std(), rel=0.1)


def test_neighbours_that_alternate_do_not_narrow_it() -> None:
    x = np.tile([0.0, 1.0], 100)
    assert spread(sums_of(x, np.ones(200)))[-1] == pytest.approx(0.5, rel=0.01)


def test_there_is_no_interval_before_enough_buckets() -> None:
    rng = np.random.default_rng(1)
    low, high = sequence(sums_of(rng.random(LEAST + 5), np.ones(LEAST + 5)), ALPHA)
    assert np.isinf(low[: LEAST - 1]).all()
    assert np.isfinite(low[LEAST - 1 :]).all()
    assert np.isinf(high[: LEAST - 1]).all()


def test_scaling_the_sums_is_more_of_the_same() -> None:
    rng = np.random.default_rng(2)
    x, n = rng.random(60) * 10, np.full(60, 10.0)
    once = sums_of(x, n)[:, -1:]
    low, high = sequence(once * 4, ALPHA)
    estimate = ratio(once)
    width = spread(once * 4) * half_width(240, ALPHA, rho(ALPHA))
    assert (low, high) == (pytest.approx(estimate - width), pytest.approx(estimate + width))


def test_certainty_has_its_price() -> None:
    rng = np.random.default_rng(9)
    x = 0.5 + 0.02 * rng.standard_normal(100)
    strict, approximate = (
        high[-1] - low[-1]
        for low, high in (bernstein.sequence(x, ALPHA), asymptotic.sequence(sums_of(x, np.ones(100)), ALPHA))
    )
    # A hundred buckets that hardly vary: the strict one cannot fall below about 4·ln(2/α)/k = 0.148.
    assert strict > 0.14
    assert approximate < 0.02


def test_it_holds_over_buckets_at_all_times_at_once() -> None:
    rng = np.random.default_rng(13)
    missed = 0
    for _ in range(200):
        n = rng.integers(20, 200, 500).astype(float)
        x = rng.binomial(n.astype(int), 0.3).astype(float)
        low, high = sequence(sums_of(x, n), ALPHA)
        missed += bool(((low > 0.3) | (high < 0.3)).any())
    assert missed <= 16
