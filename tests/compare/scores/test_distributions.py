"""Published values, and what must hold for any rows and samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from shadowproxy.compare.scores.distributions import (
    jensen_shannon,
    kolmogorov_smirnov,
    total_variation,
    wasserstein,
)

P, Q = (0.5, 0.3, 0.2), (0.4, 0.4, 0.2)
SHARES = st.integers(0, 64).map(lambda n: n / 64)
ROWS = st.lists(SHARES, min_size=2, max_size=8).filter(lambda row: sum(row) > 0)
SAMPLES = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


def normal(row: list[float]) -> list[float]:
    return [value / sum(row) for value in row]


def test_the_published_distances_of_two_rows() -> None:
    assert total_variation(P, Q) == pytest.approx(0.1)
    assert jensen_shannon(P, Q) == pytest.approx(0.0063672, abs=5e-8)  # nats
    # scipy gives the square root: jensenshannon([1, 0], [.5, .5]) and, in bits, ([1, 0, 0], [0, 1, 0])
    assert sqrt(jensen_shannon([1, 0], [0.5, 0.5])) == pytest.approx(0.464501404, abs=5e-10)
    assert sqrt(jensen_shannon([1, 0, 0], [0, 1, 0]) / log(2)) == pytest.approx(1)


def kullback_leibler(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True))


def test_jensen_shannon_is_made_of_two_divergences_from_the_middle() -> None:
    middle = [(a + b) / 2 for a, b in zip(P, Q, strict=True)]
    assert kullback_leibler(P, Q) == pytest.approx(0.0252672, abs=5e-8)
    # The population stability index is the sum of both directions.
    assert kullback_leibler(P, Q) + kullback_leibler(Q, P) == pytest.approx(0.0510826, abs=5e-8)
    halves = (kullback_leibler(P, middle) + kullback_leibler(Q, middle)) / 2
    assert jensen_shannon(P, Q) == pytest.approx(halves)


def test_the_published_distances_of_two_samples() -> None:
    assert wasserstein([0, 1, 3], [5, 6, 8]) == pytest.approx(5)
    assert wasserstein([0, 1], [0, 1], [3, 1], [2, 2]) == pytest.approx(0.25)


@given(ROWS, ROWS)
def test_jensen_shannon_is_scipys_squared(p: list[float], q: list[float]) -> None:
    p, q = normal(p), normal(q)
    p, q = p[: min(len(p), len(q))], q[: min(len(p), len(q))]
    if sum(p) > 0 and sum(q) > 0:
        p, q = normal(p), normal(q)
        with np.errstate(invalid="ignore"):  # scipy takes the root of what may be rounded to just below 0
            root = float(jensenshannon(p, q))
        assert isclose(jensen_shannon(p, q), 0 if root != root else root**2, abs_tol=1e-9)
        assert -1e-12 <= total_variation(p, q) <= 1 + 1e-12


@given(SAMPLES, SAMPLES)
def test_the_samples_distances_are_scipys(a: list[float], b: list[float]) -> None:
    widest = max(abs(sum(v <= at for v in a) / len(a) - sum(v <= at for v in b) / len(b)) for at in a + b)
    assert isclose(kolmogorov_smirnov(a, b), widest, abs_tol=1e-12)  # by its definition
    assert isclose(wasserstein(a, b), stats.wasserstein_distance(a, b), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("distance", [kolmogorov_smirnov, wasserstein])
def test_an_empty_sample_has_no_distance(distance) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="at least one number"):
        distance([], [1.0])
