from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.proxy.counters import BUCKETS_S, Histogram, RouteCounters, label


@given(st.lists(st.integers(0, 20_000_000_000), max_size=50))
def test_each_observation_is_in_the_first_bucket_that_is_not_smaller(times_ns: list[int]) -> None:
    histogram = Histogram()
    for ns in times_ns:
        histogram.observe(ns)
    bounds, counts, total = histogram.export()
    assert bounds == BUCKETS_S
    assert len(counts) == len(bounds) + 1  # the last one is +Inf
    for at, bound in enumerate(bounds):
        assert sum(counts[: at + 1]) == sum(ns <= round(bound * 1e9) for ns in times_ns)
    assert sum(counts) == len(times_ns)
    assert total == pytest.approx(sum(times_ns) / 1e9)


def test_an_export_is_not_changed_by_what_comes_later() -> None:
    histogram = Histogram()
    _, counts, _ = histogram.export()
    histogram.observe(1)
    assert sum(counts) == 0


def test_bounds_grow() -> None:
    assert sorted(set(BUCKETS_S)) == BUCKETS_S


def test_routes_count_apart() -> None:
    one, other = RouteCounters(), RouteCounters()
    one.codes[200] = 1
    assert other.codes == {}
    assert one.durations is not other.durations


@pytest.mark.parametrize(
    ("value", "quoted"), [("v2", "v2"), ('a"b', 'a\\"b'), ("a\\b", "a\\\\b"), ("a\nb", "a\\nb"), ("ü{}", "ü{}")]
)
def test_a_label_is_quoted_as_prometheus_wants_it(value: str, quoted: str) -> None:
    assert label(value) == quoted
