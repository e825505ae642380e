from __future__ import annotations

import pytest

from shadowproxy.settings import gates as settings
from shadowproxy.stats import gate, metrics
from shadowproxy.stats.gate import DIFFERENT, SAME, SIMILAR, Gate, defaults
from shadowproxy.stats.metrics import METRICS, Kind
from shadowproxy.stats.tally import COUNTS


def test_the_metrics_are_those_that_a_configuration_may_name() -> None:
    written = {"0-1": "", "own": "*"}
    assert {name: written.get(row.unit, row.unit) for name, row in METRICS.items()} == {
        name: row.unit for name, row in settings.METRICS.items()
    }
    assert {name: row.option for name, row in METRICS.items()} == {
        name: next(iter(set(row.options) - {"slice"}), "") for name, row in settings.METRICS.items()
    }


def test_every_kind_has_as_many_columns_as_it_needs() -> None:
    columns = {Kind.DIFFERENCE: 3, Kind.RATE: 2, Kind.MEAN: 2, Kind.RATIO: 2}
    assert {name: len(row.columns) for name, row in METRICS.items()} == {
        name: columns[row.kind] for name, row in METRICS.items()
    }
    assert {row.stand_in for row in METRICS.values()} - {""} <= METRICS.keys()


def test_the_tally_counts_what_the_default_gates_need() -> None:
    gates = defaults(SAME, predictions=["label"], has_twin=True, streams=False)
    assert {column for one in gates for column in one.columns} <= set(COUNTS)


def test_the_mean_of_a_comparisons_metric() -> None:
    row = metrics.of("mean(rouge_l)")
    assert (row.kind, row.columns, row.better) == (Kind.MEAN, ("sum(rouge_l)", "count(rouge_l)"), metrics.STATED)
    with pytest.raises(ValueError, match=r"expected one of error_rate_increase, .* or mean"):
        metrics.of("speed")


@pytest.mark.parametrize(
    ("one", "columns"),
    [
        (Gate("slower_share", 0.1), ("slower", "faster", "timed")),
        (Gate("slower_share", 0.1, (("by", "25%"),)), ("slower", "faster", "timed")),
        (Gate("slower_share", 0.1, (("by", "10%"),)), ("slower{by=10%}", "faster{by=10%}", "timed")),
        (
            Gate("slo_miss_increase", 0.01, (("over", "200ms"),)),
            ("only_candidate_misses{over=200ms}", "only_reference_misses{over=200ms}", "timed"),
        ),
        (Gate("disagreement", 0.01, (("slice", "country:DE"),)), ("disagreeing", "decided")),
    ],
)
def test_an_option_changes_what_is_counted(one: Gate, columns: tuple[str, ...]) -> None:
    assert one.columns == columns


def test_a_gate_speaks_its_name() -> None:
    one = Gate("slower_share", 0.1, (("by", "10%"), ("slice", "country:DE")))
    assert one.name == "slower_share{by=10%,slice=country:DE}"
    assert one.part == ("country", "DE")
    assert Gate("disagreement", 0.1).part is None


def test_never_is_for_what_must_not_happen() -> None:
    assert Gate("nonfinite_increase", 0.0).is_never
    assert not Gate("nonfinite_increase", 0.001).is_never
    assert not Gate("excess_disagreement", 0.0).is_never  # noise goes both ways: its first event says nothing


@pytest.mark.parametrize(
    ("metric", "limit", "higher", "complaint"),
    [
        ("disagreement", 0.1, True, "expected disagreement<=…"),
        ("latency_p50_ratio", 0.0, False, "expected a limit above 0"),
        ("speed", 1.0, False, "expected one of"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(metric: str, limit: float, higher: bool, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Gate(metric, limit, higher_is_better=higher)


LABEL, TEXT = ("label",), ("text",)
TOKENS = {"first_token_slower_share": 0.1, "per_token_slower_share": 0.1}


@pytest.mark.parametrize(
    ("expect", "predictions", "has_twin", "streams", "limits"),
    [
        (SAME, LABEL, True, False, {"slower_share": 0.1, "excess_disagreement": 0.005}),
        (SIMILAR, LABEL, True, False, {"slower_share": 0.1, "excess_disagreement": 0.05}),
        (DIFFERENT, LABEL, True, False, {}),
        (SIMILAR, LABEL, False, False, {"slower_share": 0.1, "disagreement": 0.05}),
        (SIMILAR, (), False, False, {"slower_share": 0.1, "disagreement": 0.05}),
        (
            SAME,
            TEXT,
            True,
            True,
            {"first_token_slower_share": 0.1, "per_token_slower_share": 0.1, "similarity_loss": 0.02},
        ),
        (SIMILAR, TEXT, True, False, {"slower_share": 0.1, "similarity_loss": 0.05}),
        (SIMILAR, TEXT, False, False, {"slower_share": 0.1}),
        (DIFFERENT, TEXT, True, True, {}),
        (
            SAME,
            ("label", "text"),
            True,
            False,
            {"slower_share": 0.1, "excess_disagreement": 0.005, "similarity_loss": 0.02},
        ),
    ],
)
def test_default_gates(
    expect: str, predictions: tuple[str, ...], has_twin: bool, streams: bool, limits: dict[str, float]
) -> None:
    gates = defaults(expect, predictions=predictions, has_twin=has_twin, streams=streams)
    always = {"error_rate_increase": 0.005, "nonfinite_increase": 0.0}
    assert {one.metric: one.limit for one in gates} == always | limits


def test_the_table_has_a_limit_for_every_expectation() -> None:
    assert {frozenset(row) for row in gate.DEFAULTS.values()} == {frozenset({SAME, SIMILAR, DIFFERENT})}
