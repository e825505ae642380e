"""Every figure from a log whose rows are counted by hand; the arithmetic stands beside the row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowproxy.report.record import Candidate
from tests.support.pairs import (
    PairLog,
    answer,
    compared,
    differing,
    differs,
    dropped,
    incomparable,
    noiseless,
    noisy,
    timed_out,
)
from tests.support.reports import figures_on, report_on

BAD: dict[str, Any] = {"status": 500, "bad": True}


def on(log: PairLog) -> Candidate:
    return figures_on(log.write())


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log")


def test_a_metric_too_large_to_be_squared_is_left_out_and_spoils_nothing(
    log: PairLog, recwarn: pytest.WarningsRecorder
) -> None:
    log.pair(comparison=compared(metrics={"gap": 2.0}), times=3)
    log.pair(comparison=compared(metrics={"gap": 1e308}), times=2)
    found = figures_on(log.write(), gates=("mean(gap)<=3",))
    assert (found.metrics["gap"].mean, found.metrics["gap"].n) == (2.0, 3)
    assert (found.gates[0].estimate, found.gates[0].n) == (2.0, 3)
    assert [str(one.message) for one in recwarn.list] == []


def test_disagreement_and_difference_are_shares_of_the_comparable(log: PairLog) -> None:
    log.pair(times=6)  # same, agrees
    log.pair(times=2, comparison=differing())  # different, disagrees
    log.pair(comparison=compared("different", agrees=True, differences=[differs("$.score")]))
    log.pair(shadow=answer(**BAD), comparison=incomparable("shadow_bad"))
    figures = on(log)
    assert figures.pairs == 10  # 6 + 2 + 1 + 1
    assert (figures.disagreement.estimate, figures.disagreement.n) == (2 / 9, 9)  # 2 of 6 + 2 + 1
    assert (figures.difference.estimate, figures.difference.n) == (3 / 9, 9)  # 2 + 1 of 9
    assert (figures.incomparable.share.estimate, figures.incomparable.reasons) == (0.1, {"shadow_bad": 1})


def test_text_without_a_decision_has_no_disagreement(log: PairLog) -> None:
    log.pair(times=3, comparison=compared("different", agrees=None, labels=(None, None)))
    figures = on(log)
    assert (figures.disagreement.estimate, figures.disagreement.n) == (None, 0)
    assert figures.difference.estimate == 1.0


def test_items_of_batches_are_counted_by_item(log: PairLog) -> None:
    log.pair(comparison=compared(items=4))
    log.pair(comparison=differing(["a"] * 4, ["a", "b", "b", "a"], items=4, items_disagreeing=2))
    figures = on(log)
    assert (figures.item_disagreement.estimate, figures.item_disagreement.n) == (0.25, 8)  # 2 of 4 + 4
    assert figures.disagreement.estimate == 0.5  # a batch disagrees when one item does
    assert [(flow.old, flow.new, flow.count) for flow in figures.classes] == [("a", "b", 2)]


def test_errors_are_a_difference_within_pairs(log: PairLog) -> None:
    log.pair(times=10)
    log.pair(times=4, shadow=answer(**BAD), comparison=incomparable("shadow_bad"))  # b = 4
    log.pair(times=1, production=answer(**BAD), comparison=incomparable("production_bad"))  # c = 1
    log.pair(times=3, production=answer(**BAD), shadow=answer(**BAD), comparison=incomparable("production_bad"))
    log.pair(times=2, shadow=timed_out(), comparison=incomparable("shadow_timeout"))  # b = 4 + 2
    errors = on(log).errors
    assert (errors.reference, errors.n, errors.b, errors.c, errors.bad_on_both) == ("production", 20, 6, 1, 3)
    assert errors.error_rate_increase.estimate == 0.25  # (6 - 1) / 20
    assert errors.candidate_rate.estimate == 0.45  # (6 + 3) / 20
    assert errors.reference_rate.estimate == 0.2  # (1 + 3) / 20
    assert errors.timeouts == {"reference": 0, "candidate": 2}


def test_censored_timeouts_and_clients_who_left_are_no_errors(log: PairLog) -> None:
    log.pair(times=2)
    log.pair(shadow=timed_out(), comparison=incomparable("shadow_timeout", censored=True))
    log.pair(production=answer(None, outcome="client_aborted"), comparison=incomparable("client_aborted"))
    figures = on(log)
    assert (figures.errors.n, figures.errors.b) == (2, 0)
    assert (figures.errors.censored, figures.errors.client_aborted) == (1, 1)
    assert figures.latency_ms.pairs == 2


def test_the_twin_is_the_reference_where_it_was_due_in_every_pair(log: PairLog) -> None:
    log.pair(times=4, twin=answer(ms=20), shadow=answer(ms=22))
    log.pair(twin=answer(**BAD), shadow=answer(**BAD), comparison=incomparable("shadow_bad"))
    log.pair(twin=dropped("in_flight"), shadow=answer(ms=22), noise=None)
    figures = on(log)
    assert figures.errors.reference == figures.latency_ms.reference == "twin"
    assert (figures.errors.n, figures.errors.b, figures.errors.bad_on_both) == (5, 0, 1)  # one twin was not sent
    assert (figures.latency_ms.pairs, figures.latency_ms.slower) == (4, 0)  # 22 > 1.25 · 20 does not hold


def test_production_is_the_reference_where_the_twin_saw_only_some(log: PairLog) -> None:
    log.pair(times=4, twin=answer(ms=20), shadow=answer(ms=22))
    log.pair(times=4, shadow=answer(ms=22))
    figures = on(log)
    assert figures.errors.reference == figures.latency_ms.reference == "production"
    assert (figures.latency_ms.pairs, figures.latency_ms.slower) == (8, 8)  # 22 > 1.25 · 10


def test_noise_and_excess_on_triples(log: PairLog) -> None:
    log.pair(times=90, twin=answer())
    log.pair(times=6, twin=answer(), comparison=differing())  # only the candidate: b = 6
    log.pair(times=2, twin=answer(), noise=noisy())  # only the twin: c = 2
    log.pair(times=2, twin=answer(), comparison=differing(), noise=noisy())  # both
    log.pair(times=5, twin=answer(**BAD), noise=incomparable("twin_bad", key="twin"), comparison=differing())
    figures = on(log)
    assert (figures.noise.estimate, figures.noise.n) == (0.04, 100)  # (2 + 2) / 100 triples
    assert (figures.excess_disagreement.estimate, figures.excess_disagreement.n) == (0.04, 100)  # (6 - 2) / 100
    assert figures.disagreement.estimate == 13 / 105  # (6 + 2 + 5) / 105


def test_without_a_twin_the_excess_has_no_estimate(log: PairLog) -> None:
    log.pair(times=5, comparison=differing())
    figures = on(log)
    assert (figures.noise.estimate, figures.excess_disagreement.estimate) == (None, None)
    assert figures.fields[0].noise_count is None


def test_latency_quantiles_are_those_of_numpy_on_the_raw_values(log: PairLog) -> None:
    chance = np.random.default_rng(7)
    old, new = chance.exponential(20, 600), chance.exponential(25, 600)
    for a, b in zip(old, new, strict=True):
        log.pair(production=answer(ms=a, sent=2, stalled=5), shadow=answer(ms=b))
    latency = on(log).latency_ms

    def quantile(values: Any, p: float) -> Any:
        return pytest.approx(float(np.quantile(values, p, method="inverted_cdf")))

    for p, name in ((0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99")):
        assert latency.production[name] == quantile(old, p)
        assert latency.shadow[name] == quantile(new, p)
    for p, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        assert latency.difference[name] == quantile(new - old, p)
    assert (latency.slower, latency.faster) == (
        int(np.sum((new > 1.25 * old) & (new - old > 1))),
        int(np.sum((old > 1.25 * new) & (old - new > 1))),
    )
    assert latency.slower_share.estimate == (latency.slower - latency.faster) / 600


def test_a_timeout_is_infinitely_slow(log: PairLog) -> None:
    log.pair(times=190, shadow=answer(ms=10))
    log.pair(times=10, shadow=timed_out(), comparison=incomparable("shadow_timeout"))
    log.pair(times=7, shadow=answer(**BAD), comparison=incomparable("shadow_bad"))  # bad answers are not timed
    log.pair(times=3, production=answer(**BAD), comparison=incomparable("production_bad"))
    latency = on(log).latency_ms
    assert (latency.pairs, latency.timed_out, latency.slower) == (200, 10, 10)
    assert latency.shadow["p95"] == 10
    # one more timeout and the 191st of 201 values is infinite
    log.pair(times=1, shadow=timed_out(), comparison=incomparable("shadow_timeout"))
    latency = on(log).latency_ms
    assert latency.shadow["p95"] == math.inf
    assert latency.infinite == ["shadow.p95"]


def test_clearly_slower_is_by_a_quarter_and_a_millisecond(log: PairLog) -> None:
    cases = {
        "a": (10.0, 12.5, 0, 0),  # 12.5 > 1.25 · 10 does not hold
        "b": (10.0, 12.6, 1, 0),  # 12.6 > 12.5 and 2.6 ms apart
        "c": (2.0, 2.9, 0, 0),  # 2.9 > 2.5, but only 0.9 ms apart
        "d": (12.6, 10.0, 0, 1),
    }
    for name, (old, new, _, _) in cases.items():
        log.pair(candidate=name, trial=name, production=answer(ms=old), shadow=answer(ms=new))
    candidates = report_on(log.write()).candidates
    found = {name: (c.latency_ms.slower, c.latency_ms.faster) for name, c in candidates.items()}
    assert found == {name: (slower, faster) for name, (_, _, slower, faster) in cases.items()}


def test_numbers_that_are_none(log: PairLog) -> None:
    log.pair(times=7, comparison=compared(metrics={"nonfinite_production": 0, "nonfinite_shadow": 0}))
    log.pair(times=2, comparison=compared(metrics={"nonfinite_production": 0, "nonfinite_shadow": 3}))
    log.pair(comparison=compared(metrics={"nonfinite_production": 1, "nonfinite_shadow": 1}))
    found = on(log).nonfinite
    assert (found.n, found.b, found.c, found.on_both) == (10, 2, 0, 1)
    assert found.nonfinite_increase.estimate == 0.2  # (2 - 0) / 10


def test_pairs_that_the_candidate_answered_do_not_count_for_latency(log: PairLog) -> None:
    log.pair(times=3)
    log.pair(times=2, answered_by="v2", comparison=differing())
    figures = on(log)
    assert figures.latency_ms.pairs == 3
    assert (figures.disagreement.n, figures.errors.n) == (5, 5)


def test_warm_up_is_shown_and_not_counted(log: PairLog) -> None:
    log.pair(times=4, warmup=True, shadow=answer(**BAD), comparison=incomparable("shadow_bad"))
    log.pair(times=6)
    figures = on(log)
    assert (figures.pairs, figures.warmup_pairs) == (6, 4)
    assert (figures.errors.n, figures.errors.b, figures.outcomes) == (6, 0, {"complete": 6})


def test_fields_are_generalised_and_counted_once_a_pair(log: PairLog) -> None:
    many = [differs("$.scores[0]"), differs("$.scores[17]"), differs("$.a[1].b[2]", "missing")]
    first = log.pair(comparison=differing(differences=many), twin=answer())
    second = log.pair(comparison=differing(differences=[differs("$.scores[3]")]), twin=answer())
    log.pair(twin=answer(), noise=noisy("$.scores[9]"))
    log.pair(twin=answer(), noise=noisy("$.time"))
    fields = {(f.path, f.kind): f for f in on(log).fields}
    scores = fields["$.scores[*]", "value"]
    assert (scores.count, scores.noise_count, scores.examples) == (2, 1, [first, second])
    assert fields["$.a[*].b[*]", "missing"].count == 1
    assert (fields["$.time", "value"].count, fields["$.time", "value"].noise_count) == (0, 1)
    assert scores.flagged is False
    # Buckets of 30 s: one, in which b = 2 and c = 1. 2^1·B(2, 1)·I_½(1, 2)/(½·B(1, 1)) = 2·½·¾/½
    assert scores.e_value == pytest.approx(1.5)


def test_the_field_furthest_above_the_noise_comes_first(log: PairLog) -> None:
    for _ in range(5):  # differs always, but so does the twin
        log.pair(comparison=differing(differences=[differs("$.time")]), twin=answer(), noise=noisy("$.time"))
    log.pair(comparison=differing(differences=[differs("$.label")]), twin=answer())
    assert [field.path for field in on(log).fields] == ["$.label", "$.time"]  # 1/6 - 0 > 5/6 - 5/6


def test_flows_of_labels_largest_first(log: PairLog) -> None:
    log.pair(times=3, comparison=differing("4", "9"))
    log.pair(times=2, comparison=differing(9, 4))
    log.pair(times=4)
    assert [(flow.old, flow.new, flow.count) for flow in on(log).classes] == [("4", "9", 3), ("9", "4", 2)]


def test_slices_show_their_commonest_values_and_the_rest_together(log: PairLog) -> None:
    for number in range(22):
        log.pair(
            times=22 - number, slices={"country": f"c{number:02d}"}, comparison=differing() if number == 0 else None
        )
    countries = on(log).slices["country"]
    assert len(countries) == 21  # the 20 commonest and the rest
    assert countries["other"].pairs == 3  # 2 of c20 and 1 of c21
    assert (countries["c00"].pairs, countries["c00"].disagreement.estimate, countries["c00"].too_few) == (22, 1.0, True)


def test_a_slice_that_a_request_lacks_has_a_name(log: PairLog) -> None:
    log.pair(times=2, slices={"country": None})
    log.pair(slices={"country": "DE"})
    assert {value: part.pairs for value, part in on(log).slices["country"].items()} == {"(none)": 2, "DE": 1}


def test_each_route_is_a_segment(log: PairLog) -> None:
    log.pair(times=2)
    log.pair(times=3, route="rank", comparison=differing())
    figures = on(log)
    assert {name: (part.pairs, part.disagreement.estimate) for name, part in figures.routes.items()} == {
        "predict": (2, 0.0),
        "rank": (3, 1.0),
    }


def test_metrics_are_means_over_comparable_pairs(log: PairLog) -> None:
    log.pair(comparison=compared(metrics={"tv": 0.25, "rank": 1.0}))
    log.pair(comparison=compared(metrics={"tv": 0.75}))
    log.pair(comparison=incomparable("shadow_bad", metrics={"tv": 9.0}))
    metrics = {name: (metric.mean, metric.n) for name, metric in on(log).metrics.items()}
    assert metrics == {"tv": (0.5, 2), "rank": (1.0, 1)}


def test_three_pairs_bound_nothing(log: PairLog) -> None:
    log.pair(times=3, twin=answer(), noise=noiseless())
    figures = on(log)
    for rate in (figures.disagreement, figures.noise, figures.errors.error_rate_increase):
        assert rate.low is not None
        assert rate.high is not None
        assert rate.low <= 0 < 0.5 < rate.high
        assert rate.method.endswith("mixture sequences, or wider over time buckets") or "sequence" in rate.method
    assert (figures.latency_ms.slower_share.low, figures.latency_ms.slower_share.high) == (None, None)
    assert (figures.verdict, figures.reason) == ("INCONCLUSIVE", "too_few_buckets")


def test_candidates_and_trials_are_kept_apart(log: PairLog) -> None:
    log.pair(times=5, candidate="v2", trial="v2-old", at=0, comparison=differing())
    log.pair(times=2, candidate="v2", trial="v2-new", at=100)
    log.pair(times=3, candidate="v3", trial="v3-only", at=50, comparison=differing())
    candidates = report_on(log.write()).candidates
    v2, v3 = candidates["v2"], candidates["v3"]
    assert (v2.trial, v2.pairs, v2.disagreement.estimate) == ("v2-new", 2, 0.0)
    assert (v3.trial, v3.pairs, v3.disagreement.estimate) == ("v3-only", 3, 1.0)
