from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from shadowproxy.stats import asymptotic
from shadowproxy.stats.arrays import Floats
from shadowproxy.stats.memory import worth

ONES = np.ones(2000)


def remembering(phi: float, seed: int, noise: float = 0.0, k: int = 2000) -> Floats:
    """Buckets of an AR(1) series of variance 1, and counting noise on top."""
    rng = np.random.default_rng(seed)
    series = lfilter([1.0], [1.0, -phi], rng.standard_normal(k + 300) * np.sqrt(1 - phi * phi))[300:]
    return np.asarray(series + noise * rng.standard_normal(k), dtype=np.float64)


def test_independent_buckets_are_not_seen_to_resemble_each_other() -> None:
    seen = [worth(remembering(0.0, seed), ONES) for seed in range(200)]
    assert sum(found is not None for found in seen) <= 8  # 1 in 100 by chance: more than 8 of 200 has one of 0.1 %


@pytest.mark.parametrize("phi", [0.5, 0.8])
def test_buckets_with_a_memory_are_worth_what_their_mean_varies(phi: float) -> None:
    # The mean of k values of an AR(1) series varies as that of k·(1 − φ)/(1 + φ) independent ones.
    found = [worth(remembering(phi, seed), ONES) for seed in range(20)]
    assert np.median(np.asarray(found, dtype=np.float64)) == pytest.approx(2000 * (1 - phi) / (1 + phi), rel=0.25)


def test_counting_noise_does_not_hide_a_long_memory() -> None:
    """Half of the variance is noise: the lag-1 correlation is 0.45, which would say 760; the truth is 200."""
    x = [remembering(0.9, seed, noise=1.0) for seed in range(20)]
    found = np.median(np.asarray([worth(one, ONES) for one in x], dtype=np.float64))
    by_lag = [float(asymptotic.lag_1(np.cumsum(asymptotic.bucket_rows(one, ONES), axis=1))[-1]) for one in x]
    lag = float(np.median(by_lag))
    assert 2000 * (1 - lag) / (1 + lag) == pytest.approx(760, rel=0.1)
    # Of variance 2 in all: 1·(1 + 0.9)/(1 − 0.9) + 1 = 20 is that of the mean, times k.
    assert found == pytest.approx(2000 * 2 / 20, rel=0.35)


def test_neighbours_that_alternate_nothing_that_varies_and_few_say_nothing() -> None:
    assert worth(np.tile([0.0, 1.0], 100), np.ones(200)) is None
    assert worth(np.full(200, 3.0), np.full(200, 10.0)) is None
    assert worth(np.repeat([0.0, 1.0], 9), np.ones(18)) is None


def test_empty_buckets_are_no_buckets() -> None:
    x = remembering(0.8, 1)
    gaps = np.zeros(4000)
    gaps[::2] = x
    assert worth(gaps, np.tile([1.0, 0.0], 2000)) == pytest.approx(worth(x, ONES))
