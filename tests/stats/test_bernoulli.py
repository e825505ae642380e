from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.stats import bernoulli, robbins
from shadowproxy.stats.bernoulli import log_mixture, lower, sequence, upper

ALPHA = 0.05


def test_robbins_without_events_has_a_closed_form() -> None:
    # 1 − (0.05/1001)^(1/1000)
    assert robbins.without_events(1000, ALPHA) == pytest.approx(0.0098556, abs=1e-7)
    assert robbins.without_events(1000, ALPHA) == pytest.approx(float(robbins.sequence(0, 1000, ALPHA)[1][0]), rel=1e-9)


def test_the_ends_are_where_the_mixture_reaches_its_bar() -> None:
    low, high = sequence([12.0, 3.0], [900.0, 10_000.0], ALPHA)
    for end in (low, high):
        logit = np.log(end / (1 - end))
        at = log_mixture(logit, np.array([12.0, 3.0]), np.array([900.0, 10_000.0]), ALPHA, bernoulli.T_OPT)
        assert at == pytest.approx([math.log(1 / ALPHA)] * 2, abs=1e-6)


@given(st.integers(0, 400), st.integers(1, 400), st.sampled_from([0.05, 0.005, 0.0005]))
def test_the_estimate_lies_inside_and_failures_mirror_successes(events: int, others: int, alpha: float) -> None:
    n = events + others
    low, high = (float(end[0]) for end in sequence(events, n, alpha))
    assert 0 <= low <= events / n <= high <= 1
    assert 1 - float(upper(others, n, alpha)[0]) == pytest.approx(low, abs=1e-12)


def test_many_answers_at_once_are_the_answers_one_by_one() -> None:
    events, trials = np.arange(50.0), np.full(50, 700.0)
    together = lower(events, trials, ALPHA)
    assert together == pytest.approx([float(lower(e, 700, ALPHA)[0]) for e in events], abs=1e-12)


def test_huge_logs_keep_their_digits() -> None:
    # Without events the upper end falls a little slower than 1/n: ln(1/α) and half a logarithm over n.
    ends = upper(0, [1e5, 1e6, 1e7, 1e8], ALPHA)
    assert np.all(np.diff(ends) < 0)
    assert ends * [1e5, 1e6, 1e7, 1e8] == pytest.approx([3.02] * 4, rel=0.02)


def test_it_holds_at_all_times_at_once() -> None:
    """100 streams of 5,000 trials, looked at after each 25: how often does any look miss the rate?"""
    rng = np.random.default_rng(7)
    trials = np.arange(25, 5001, 25).astype(float)
    missed = 0
    for _ in range(100):
        events = np.cumsum(rng.random(5000) < 0.02)[trials.astype(int) - 1]
        low, high = sequence(events, trials, ALPHA)
        missed += bool(((low > 0.02) | (high < 0.02)).any())
    assert missed <= 8  # P[Bin(100, 0.05) > 8] = 6 %, and the sequence is conservative


@given(st.floats(1.01, 1e4), st.floats(1, 1e6), st.sampled_from([0.05, 0.001]))
def test_the_bound_is_where_the_mixture_reaches_its_threshold(s: float, more: float, alpha: float) -> None:
    successes, trials = np.array([s]), np.array([s + more])
    low = lower(successes, trials, alpha)
    edge = np.log(low / (1 - low)) if low[0] > 0 else np.log(np.array([1e-13]))
    height = float(log_mixture(edge, successes, trials, alpha, bernoulli.T_OPT)[0]) - np.log(1 / alpha)
    assert abs(height) < 1e-6 if low[0] > 0 else height <= 0


def test_scipy_is_not_imported_before_an_interval_is_asked_for() -> None:
    asked = "import sys, shadowproxy.report.assemble; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
