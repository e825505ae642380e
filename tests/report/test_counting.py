from __future__ import annotations

from pathlib import Path

from shadowproxy.report.counting import NO_VALUE, nothing
from shadowproxy.stats.metrics import METRICS, Kind, Need
from shadowproxy.stats.tally import COUNTS
from tests.support.pairs import PairLog, compared, incomparable
from tests.support.reports import figures_on


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


NASTY = ["", " ", "NULL", "null", "a=b", "b, c=d", "}{[]", "'", '"', "\\", "\\'", "\n", "ä€", "{a=b}", "x\\"]


def test_slices_are_told_apart_whatever_they_are_called(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    for number, name in enumerate(NASTY):
        log.pair(times=number + 1, slices={"name": name, f"k{name}": name})
    log.pair(times=2, slices={"name": None})
    found = figures_on(log.write()).slices
    assert {value: segment.pairs for value, segment in found["name"].items()} == {
        **{name: number + 1 for number, name in enumerate(NASTY)},
        NO_VALUE: 2,
    }
    assert {name: list(found[f"k{name}"]) for name in NASTY} == {name: [name] for name in NASTY}


def test_what_only_some_pairs_measured_is_counted(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=30)
    log.pair(times=3, comparison=compared(metrics={"nonfinite_shadow": 2.0, "nonfinite_production": 0.0}))
    log.pair(times=2, comparison=incomparable("shape", metrics={"nonfinite_shadow": 1.0}))
    log.pair(comparison=compared(metrics={"nonfinite_shadow": 1.0, "nonfinite_production": 1.0}))
    found = figures_on(log.write()).nonfinite
    assert (found.n, found.b, found.c, found.on_both) == (36, 5, 0, 1)
