"""Ratios are taken round by round, and their interval is Student's on logarithms."""

from __future__ import annotations

import math

import pytest

from shadowproxy.bench.outcome import Outcome
from shadowproxy.bench.ratio import Ratio, ratio, ratios


def _outcome(latencies_ms: list[int], answered: int = 0) -> Outcome:
    outcome = Outcome(duration_s=1.0, answered_in_window=answered)
    outcome.latency.add([each * 10**6 for each in latencies_ms])
    return outcome


def test_the_interval_is_that_of_a_published_table() -> None:
    # logs of 1, 2, 4, 8, 16 in units of ln 2: mean 2, s = sqrt(2.5); t(0.975, 4) = 2.776; half = 2.776 · sqrt(2.5 / 5)
    found = ratio("p50", [(x, 1.0) for x in (1.0, 2.0, 4.0, 8.0, 16.0)])
    assert found is not None
    half = 2.776 * math.sqrt(0.5)
    assert found.estimate == pytest.approx(4.0)
    assert found.low == pytest.approx(2 ** (2 - half), rel=1e-3)
    assert found.high == pytest.approx(2 ** (2 + half), rel=1e-3)


def test_a_few_rounds_have_no_interval() -> None:
    assert ratio("p50", [(2.0, 1.0)] * 4) == Ratio("p50", pytest.approx(2.0), None, None, 4)  # type: ignore[arg-type]


def test_a_figure_that_most_rounds_lack_has_no_ratio() -> None:
    assert ratio("p99", [(1.0, 1.0), (None, 1.0), (1.0, None)]) is None


def test_a_drift_that_both_met_cancels() -> None:
    first = [_outcome([10 * k] * 20, answered=100 * k) for k in range(1, 7)]
    second = [_outcome([20 * k] * 20, answered=50 * k) for k in range(1, 7)]
    found = {each.metric: each for each in ratios(second, first, with_rate=True)}
    assert found.keys() == {"mean", "p50", "p90", "rate"}  # a p99 takes 100 answers
    assert found["p50"].estimate == pytest.approx(2.0, rel=0.01)
    assert found["rate"].estimate == pytest.approx(0.5)
    assert found["mean"].low == pytest.approx(2.0)
