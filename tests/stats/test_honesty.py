"""Honesty by simulation: how often is equality called a regression, and how often is a regression seen?

The short form plays a few logs of each scenario; the long form (`-m campaign`) is the table of docs/statistics.md.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from shadowproxy.stats import methods
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.judge import judge
from shadowproxy.stats.verdict import Reason, Verdict
from tests.stats.simulate import (
    AT_EQUALITY,
    EQUAL,
    FACTS,
    NAMED,
    PASSES,
    REGRESSIONS,
    SCENARIOS,
    SEED,
    TERMS,
    counted,
    draw,
    play,
)

FEW, MANY = 6, 400


def at_most(share: float, logs: int) -> int:
    """What a true share of exactly `share` would exceed with a chance of 1 in 1,000."""
    return int(binom.isf(0.001, logs, share))


@pytest.mark.parametrize("name", EQUAL)
def test_equal_models_do_not_fail(name: str) -> None:
    assert play(SCENARIOS[name], FEW).ever_failed <= at_most(0.05, FEW)


@pytest.mark.parametrize("name", PASSES)
def test_equal_models_pass(name: str) -> None:
    assert play(SCENARIOS[name], FEW).ended[Verdict.PASS] >= FEW - 1


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regressions_fail_by_the_gate_that_is_about_them(name: str) -> None:
    outcome = play(SCENARIOS[name], FEW)
    assert outcome.ended[Verdict.FAIL] == FEW
    assert outcome.failing_gates.get(NAMED[name], 0) == FEW


def test_naive_tests_call_equal_models_different() -> None:
    outcome = play(SCENARIOS["outages"], FEW)
    assert outcome.naive["McNemar"] >= FEW / 3
    assert outcome.naive["t latency"] >= FEW / 2


def test_without_the_guard_outages_of_equal_sides_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = (Gate("error_rate_increase", 0.005),)
    assert play(SCENARIOS["outages"], 20, gates=gates).ever_failed == 0
    monkeypatch.setattr(methods, "_proven", lambda is_proven: np.full(np.shape(is_proven), np.inf))
    assert play(SCENARIOS["outages"], 20, gates=gates).ever_failed >= 4


def test_a_swing_over_many_buckets_is_seen_and_withholds_what_its_interval_would_pass() -> None:
    """Disagreement of 3 % that swings with a memory of 5 to 10 buckets, at a limit of 3 %: each PASS is false."""
    gate = Gate("disagreement", 0.03)
    found = [
        judge([gate], {None: counted(draw(SCENARIOS["long-swings-at-it"], np.random.default_rng([SEED, number])))},
              FACTS, TERMS).gates[0]
        for number in range(20)
    ]  # fmt: skip
    below = [one for one in found if one.high is not None and one.high <= gate.limit and one.reason is not Reason.DRIFT]
    withheld = [one for one in below if one.reason is Reason.TOO_FEW_BUCKETS]
    assert len(withheld) >= 3
    assert len(withheld) > len(below) / 2


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "most"), [("swings-at-it", 0.05), ("long-swings-at-it", 0.10)])
def test_the_campaign_of_swings_at_the_limit(name: str, most: float) -> None:
    """Where a swing lasts many buckets, docs/statistics.md says how far the promise of 5 % is missed."""
    outcome = play(SCENARIOS[name], MANY)
    assert outcome.ever_failed <= at_most(0.05, MANY)
    assert outcome.passing_gates["disagreement"] <= at_most(most, MANY)
    assert outcome.passing_gates["excess_disagreement"] <= at_most(0.05, MANY)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", EQUAL)
def test_the_campaign_of_equal_models(name: str) -> None:
    outcome = play(SCENARIOS[name], MANY)
    assert outcome.ever_failed <= at_most(0.05, MANY)
    assert name not in PASSES or outcome.ended[Verdict.PASS] >= 0.9 * MANY


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", EQUAL)
def test_the_campaign_of_limits_that_equality_just_meets(name: str) -> None:
    outcome = play(SCENARIOS[name], MANY, gates=AT_EQUALITY)
    assert outcome.ever_failed <= at_most(0.05, MANY)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", REGRESSIONS)
def test_the_campaign_of_regressions(name: str) -> None:
    outcome = play(SCENARIOS[name], MANY)
    assert outcome.failing_gates.get(NAMED[name], 0) >= 0.95 * MANY


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_the_campaign_at_the_limit() -> None:
    outcome = play(SCENARIOS["at-the-limit"], MANY)
    assert outcome.ever_failed <= at_most(0.05, MANY)
    for gate in ("error_rate_increase", "excess_disagreement", "disagreement"):
        assert outcome.passing_gates[gate] <= at_most(0.05, MANY)
