"""From readings to what happened between them."""

from __future__ import annotations

import pytest

from shadowproxy.admin.push.samples import Interval, quantile
from tests.admin.push.readings import grown, reading

INF = float("inf")
KEY = ("requests_total", (("route", "a"), ("code", "200")))
SERIES = 'requests_total{route="a",code="200"}'


def test_totals_grow_and_a_gauge_is_what_it_is() -> None:
    seen = grown(reading({SERIES: 5.0}), reading({SERIES: 12.0}))
    assert seen[KEY] == (12, 7)
    assert seen["ready", ()] == (1, 0)
    assert seen["log_bytes", ()] == (4096, 0)


def test_a_young_proxy_begins_at_nothing_and_one_that_ran_before_at_what_it_has() -> None:
    assert grown(reading({SERIES: 5.0}, uptime_s=5))[KEY] == (5, 5)
    assert grown(reading({SERIES: 5.0}, uptime_s=500))[KEY] == (5, 0)
    # a series that appears later has counted from 0
    assert grown(reading({}, uptime_s=500), reading({SERIES: 5.0}, uptime_s=510))[KEY] == (5, 5)


def test_a_total_that_fell_grew_by_nothing() -> None:
    assert grown(reading({SERIES: 5.0}), reading({SERIES: 3.0}))[KEY] == (3, 0)
    assert grown(reading({SERIES: 5.0}), reading({SERIES: 3.0}), reading({SERIES: 4.0}))[KEY] == (4, 1)


def test_durations_become_a_count_a_sum_and_the_quantiles_of_the_interval() -> None:
    first = reading(histograms={"overhead_seconds": [[0.1, 0.2, 0.4], [1000, 0, 0, 0], 50.0]})
    second = reading(histograms={"overhead_seconds": [[0.1, 0.2, 0.4], [1000, 10, 0, 0], 51.5]})
    seen = grown(first, second)
    assert seen["overhead_seconds_count", ()] == (1010, 10)
    assert seen["overhead_seconds_sum", ()] == (51.5, 1.5)
    assert seen["overhead_seconds_p50", ()][0] == pytest.approx(0.15)  # all ten lie in 0.1–0.2
    assert seen["overhead_seconds_p99", ()][0] == pytest.approx(0.199)


def test_an_interval_in_which_nothing_happened_has_no_quantiles() -> None:
    one = reading(histograms={"overhead_seconds": [[0.1], [10, 0], 0.5]})
    assert not [name for name, _ in grown(one, one) if "_p" in name and name.startswith("overhead")]


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ([(1, 10), (2, 10), (INF, 10)], 0.5, 0.5),  # rank 5 of 10 in 0–1
        ([(1, 5), (2, 10), (INF, 10)], 0.9, 1.8),  # rank 9: 4 of 5 into 1–2
        ([(1, 0), (2, 10), (INF, 10)], 0.5, 1.5),
        ([(1, 5), (2, 5), (INF, 10)], 0.99, 2.0),  # beyond the last bound it is that bound
    ],
)
def test_a_quantile_lies_within_its_bucket(buckets: list[tuple[float, float]], share: float, value: float) -> None:
    assert quantile(buckets, share) == pytest.approx(value)


def test_what_is_gone_is_forgotten() -> None:
    interval = Interval()
    interval.advance(reading(histograms={"overhead_seconds": [[0.1], [10, 0], 0.5]}))
    interval.advance(reading())
    assert not interval._buckets
