"""A histogram gives what the values themselves would give, within its stated error."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.bench.histogram import PER_DOUBLING, Histogram

ERROR = 2 ** (1 / (2 * PER_DOUBLING)) - 1
_SHARES = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0])


def test_the_stated_error_is_that_of_half_a_bucket() -> None:
    assert ERROR < 0.0028


@given(st.lists(st.integers(1_000, 10**12), min_size=1, max_size=200), _SHARES)
def test_a_quantile_is_that_of_the_values(values: list[int], share: float) -> None:
    histogram = Histogram()
    histogram.add(array("q", values))
    exact = sorted(values)[max(1, math.ceil(round(share * len(values), 6))) - 1]
    assert histogram.quantile_ms(share) == pytest.approx(exact / 1e6, rel=ERROR * 1.001)


@given(st.lists(st.lists(st.integers(0, 10**13), max_size=20), min_size=1, max_size=5))
def test_parts_merge_into_the_whole(parts: list[list[int]]) -> None:
    whole, merged = Histogram(), Histogram()
    whole.add([value for part in parts for value in part])
    for part in parts:
        one = Histogram()
        one.add(part)
        merged.merge(one)
    for name in ("count", "sum_ns", "smallest_ns", "largest_ns", "mean_ms"):
        assert getattr(merged, name) == getattr(whole, name)
    assert merged.quantiles_ms([0.1, 0.5, 1.0]) == whole.quantiles_ms([0.1, 0.5, 1.0])


def test_nothing_has_no_quantile_and_no_mean() -> None:
    assert (Histogram().quantile_ms(0.5), Histogram().mean_ms) == (None, None)


def test_nearest_rank() -> None:
    histogram = Histogram()
    histogram.add([k * 1_000_000 for k in range(1, 101)])
    # ceil(0.50 x 100) = 50th, ceil(0.95 x 100) = 95th and not the 96th, ceil(99.1) = 100th
    found = histogram.quantiles_ms([0.5, 0.95, 0.991])
    assert found == pytest.approx([50, 95, 100], rel=ERROR)
