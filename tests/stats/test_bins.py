from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import bins
from shadowproxy.stats.arrays import Floats, Ints
from shadowproxy.stats.bins import LONGEST_MS, Bins, index, log_ratios, merged, quantiles, value


def of(buckets: Ints, ms: Floats) -> Bins:
    return Bins(buckets, index(ms), np.ones(len(ms)))


def test_a_bin_is_half_a_percent_wide() -> None:
    ms = np.geomspace(0.01, 500_000, 5000)
    assert value(index(ms)) == pytest.approx(ms, rel=0.0028)  # half of 2^(1/128) − 1 = 0.54 %


def test_what_never_came_took_the_longest() -> None:
    assert index([np.inf, LONGEST_MS]).tolist() == [index(LONGEST_MS)] * 2
    assert index(0.0) == index(0.001)


def test_quantiles_are_those_of_the_values() -> None:
    rng = np.random.default_rng(1)
    bucket = np.repeat(np.arange(40), 50)
    ms = rng.lognormal(3, 0.5, 2000)
    grouped = quantiles(np.arange(40), (of(bucket, ms),), 0.9, 50)
    assert grouped.ends.tolist() == list(range(40))
    # The 45th of 50: the smallest value that 90 % do not exceed.
    exact = np.sort(ms.reshape(40, 50), axis=1)[:, 44]
    assert grouped.quantiles[0] == pytest.approx(exact, rel=0.003)


def test_buckets_are_merged_until_they_hold_enough() -> None:
    buckets = np.array([3, 4, 7, 9])
    side = of(np.array([3, 3, 4, 7, 7, 7, 9]), np.array([1.0, 2, 3, 10, 20, 30, 5]))
    grouped = quantiles(buckets, (side,), 0.5, 3)
    assert grouped.ends.tolist() == [1, 2]  # buckets 3 and 4, then 7; what is in 9 is not enough yet
    assert grouped.quantiles[0] == pytest.approx([2, 20], rel=0.003)


def test_a_group_is_complete_when_both_sides_are() -> None:
    buckets = np.arange(3)
    one, other = of(np.array([0, 0, 1, 2]), np.ones(4)), of(np.array([0, 1, 2, 2]), np.ones(4))
    assert quantiles(buckets, (one, other), 0.5, 2).ends.tolist() == [1]


def test_the_order_and_grouping_of_counts_is_nothing() -> None:
    rng = np.random.default_rng(2)
    bucket, ms = rng.integers(0, 20, 3000), rng.lognormal(2, 1, 3000)
    whole = of(bucket, ms)
    parts = merged(of(bucket[2000:], ms[2000:]), of(bucket[:2000], ms[:2000]))
    for side in (parts, _summed(whole)):
        assert quantiles(np.arange(20), (side,), 0.99, 500).quantiles[0].tolist() == (
            quantiles(np.arange(20), (whole,), 0.99, 500).quantiles[0].tolist()
        )


def _summed(side: Bins) -> Bins:
    """As a database would give it: one row for each bucket and bin."""
    places, counts = np.unique(np.stack([side.bucket, side.index]), axis=1, return_counts=True)
    return Bins(places[0], places[1], counts.astype(float))


def test_equal_sides_have_a_ratio_of_one() -> None:
    side = of(np.repeat(np.arange(5), 20), np.random.default_rng(3).lognormal(3, 1, 100))
    assert log_ratios(quantiles(np.arange(5), (side, side), 0.5, 20)).tolist() == [0] * 5


def test_nothing_has_no_quantile() -> None:
    empty = Bins(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    grouped = bins.quantiles(np.arange(3), (empty, empty), 0.5, 20)
    assert len(grouped.ends) == 0
    assert log_ratios(grouped).tolist() == []
