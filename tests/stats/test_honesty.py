"""Honesty by simulation: how often is equality called a regression, and how often is a regression seen?

The short form plays a few logs of each scenario; the long form (`-m campaign`) is the table of docs/statistics.md.
"""

from __future__ import annotations

import pytest
from scipy.stats import binom

from shadowproxy.stats.verdict import Verdict
from tests.stats.simulate import AT_EQUALITY, EQUAL, NAMED, PASSES, REGRESSIONS, SCENARIOS, play

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
