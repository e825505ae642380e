from __future__ import annotations

import math

import numpy as np
import pytest

from shadowproxy.stats import evalues
from shadowproxy.stats.evalues import discoveries, log_one_sided, log_two_sided


def test_the_uniform_prior_has_a_closed_form() -> None:
    # 2^22 / (23 · C(22, 6)) = 4194304 / (23 · 74613)
    assert math.exp(log_two_sided(6, 16)[0]) == pytest.approx(4194304 / (23 * 74613))


def test_nothing_seen_is_no_evidence() -> None:
    assert log_two_sided(0, 0)[0] == pytest.approx(0)
    assert log_one_sided(0, 0)[0] == pytest.approx(0)


def test_nothing_but_tails_is_evidence_for_nothing() -> None:
    assert log_one_sided(0, 5000)[0] < -1000


def test_an_e_value_is_a_number_that_json_can_hold() -> None:
    assert math.isfinite(evalues.e_value(float(log_one_sided(5000, 0)[0])))
    assert evalues.e_value(-math.inf) == 0


def test_e_bh_gives_flags_in_the_order_asked() -> None:
    assert discoveries(np.log([1.0, 120.0, 8.0, 45.0, 60.0]), 0.05).tolist() == [False, True, False, True, True]
    assert discoveries(np.log([1.0, 2.0]), 0.05).tolist() == [False, False]


def test_fair_coins_seldom_reach_twenty() -> None:
    """200 sequences of 2,000 tosses, looked at after each toss."""
    rng = np.random.default_rng(11)
    reached = 0
    for _ in range(200):
        heads = np.cumsum(rng.random(2000) < 0.5)
        tails = np.arange(1, 2001) - heads
        reached += bool((log_one_sided(heads, tails) >= math.log(20)).any())
    assert reached <= 16  # 8 % of 200; at 5 % more than 16 would be a chance of 2 %
