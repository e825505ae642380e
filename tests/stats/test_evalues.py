from __future__ import annotations

import math

import numpy as np
import pytest

from shadowproxy.stats import evalues
from shadowproxy.stats.evalues import KT, discoveries, log_one_sided, log_two_sided


@pytest.mark.parametrize(
    ("b", "c", "kt", "uniform", "one_sided"),
    [
        (6, 16, 1.774721, 2.444092, 0.084785),
        (16, 6, 1.774721, 2.444092, 4.803399),
        (10, 0, 180.425781, 93.090909, 186.090909),
        (30, 10, 23.443987, 31.636906, 63.227924),
        (60, 20, 3116.104930, 4221.690372, None),
        (5, 5, 0.246094, 0.369408, None),
    ],
)
def test_oracle_values(b: int, c: int, kt: float, uniform: float, one_sided: float | None) -> None:
    assert math.exp(log_two_sided(b, c, KT)[0]) == pytest.approx(kt, abs=1e-6, rel=1e-8)
    assert math.exp(log_two_sided(b, c)[0]) == pytest.approx(uniform, abs=1e-6, rel=1e-8)
    if one_sided is not None:
        assert math.exp(log_one_sided(b, c)[0]) == pytest.approx(one_sided, abs=1e-6, rel=1e-8)


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


@pytest.mark.parametrize(
    ("values", "flagged"),
    [((120, 60, 45, 8, 1), 3), ((100, 50, 30, 8, 1), 2), ((99, 60, 45, 30, 1), 4)],
)
def test_e_bh_oracle(values: tuple[float, ...], flagged: int) -> None:
    assert discoveries(np.log(values), 0.05).tolist() == [True] * flagged + [False] * (5 - flagged)


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
