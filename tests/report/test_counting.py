from __future__ import annotations

from shadowproxy.report.counting import nothing
from shadowproxy.stats.metrics import METRICS, Kind, Need
from shadowproxy.stats.tally import COUNTS


def test_each_count_of_a_tally_is_asked_for() -> None:
    assert set(COUNTS) <= set(nothing().whole.columns)


def test_each_metric_without_options_has_its_columns() -> None:
    wanted = {
        column
        for name, metric in METRICS.items()
        if metric.kind is not Kind.RATIO and name != "slo_miss_increase"
        for column in metric.columns
    }
    assert wanted <= set(nothing().whole.columns)
    assert {Need.TWIN, Need.LABELS} <= {need for metric in METRICS.values() for need in metric.needs}
