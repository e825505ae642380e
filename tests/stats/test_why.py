"""Why nothing here looks twice with a test made for one look, and why time is cut into buckets: by simulation.

The shares beside the rows are those of the page that the methods were chosen from, as far as a few hundred series tell.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.random import Generator
from scipy.signal import lfilter
from scipy.special import bdtr

from shadowproxy.stats import bernoulli, bernstein, evalues
from shadowproxy.stats.arrays import Floats

ALPHA, LONG = 0.05, 5000
BAR = math.log(1 / ALPHA)


def remembering(rng: Generator, phi: float, series: int, length: int) -> Floats:
    """AR(1) series of variance 1, one a row."""
    noise = rng.standard_normal((series, length + 300)) * math.sqrt(1 - phi * phi)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, axis=1)[:, 300:], dtype=np.float64)


@pytest.mark.parametrize(("phi", "least", "most"), [(0, 0, 0.08), (0.2, 0.02, 0.16), (0.5, 0.20, 0.45), (0.9, 0.95, 1)])
def test_a_median_of_what_remembers_is_missed(phi: float, least: float, most: float) -> None:
    """Printed: 2.8 %, 7 %, 30 %, 99 % of the series, looked at after every request."""
    below = np.cumsum(remembering(np.random.default_rng(1), phi, 150, LONG) < 0, axis=1, dtype=np.float64)
    trials = np.broadcast_to(np.arange(1.0, LONG + 1), below.shape)
    mixture = bernoulli.log_mixture(np.zeros(1), below, trials, ALPHA, bernoulli.T_OPT)
    assert least <= float((mixture.max(axis=1) >= BAR).mean()) <= most


@pytest.mark.parametrize(
    ("phi", "per_bucket", "least", "most"),
    [
        (0.9, 1, 0.8, 1),
        (0.9, 20, 0, 0.16),
        (0.9, 100, 0, 0.05),
        (0.98, 100, 0, 0.13),
        (0.98, 400, 0, 0.04),
        (0.5, 20, 0, 0.04),
    ],
)
def test_buckets_that_are_long_beside_the_memory_save_it(
    phi: float, per_bucket: int, least: float, most: float
) -> None:
    """Printed: 92.5 %, 6.5 %, 0.3 %; 4.0 %, 0.0 %; 0.3 %."""
    values = (remembering(np.random.default_rng(2), phi, 60, 40_000) > 0).reshape(60, -1, per_bucket).mean(axis=2)
    missed = 0
    for means in values:
        low, high = bernstein.sequence(means, ALPHA)
        missed += bool(((low > 0.5) | (high < 0.5)).any())
    assert least <= missed / 60 <= most


def tosses(series: int, candidate: float, twin: float) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(3)
    raw, noise = (rng.random((series, LONG)) < rate for rate in (candidate, twin))
    heads, tails = np.cumsum(raw & ~noise, axis=1), np.cumsum(noise & ~raw, axis=1)
    return heads.astype(np.float64), tails.astype(np.float64)


def test_mcnemars_test_at_every_look_calls_equal_sides_different() -> None:
    """Printed: 28 % for McNemar's, 3.0 % for the mixture of Krichevsky and Trofimov, 3.3 % for the one-sided one."""
    heads, tails = tosses(150, 0.02, 0.02)
    p = np.minimum(2 * bdtr(np.minimum(heads, tails), (heads + tails).astype(np.int64), 0.5), 1)
    naive = float(((p < ALPHA) & (heads + tails > 0)).any(axis=1).mean())
    assert 0.18 < naive < 0.40
    for log_e in (evalues.log_two_sided(heads, tails, evalues.KT), evalues.log_one_sided(heads, tails)):
        assert float((log_e.max(axis=1) >= BAR).mean()) <= 0.10


@pytest.mark.parametrize(("noise", "raw", "printed"), [(0.02, 0.04, 957), (0.01, 0.03, 529)])
def test_twice_the_noise_is_seen_within_a_thousand_requests(noise: float, raw: float, printed: int) -> None:
    heads, tails = tosses(150, raw, noise)
    reached = evalues.log_one_sided(heads, tails) >= BAR
    after = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, LONG)
    assert 0.7 * printed <= float(np.median(after)) <= 1.15 * printed
