from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import one_look
from shadowproxy.stats.asymptotic import bucket_rows
from shadowproxy.stats.mcnemar import asymptotic_p, corrected_p, mid_p
from shadowproxy.stats.one_look import coin_p, difference, newcombe, rate

ALPHA = 0.05


def test_mcnemar_without_a_difference() -> None:
    assert mid_p(5, 5) == pytest.approx(1 - 252 / 1024 / 2)  # C(10, 5) / 2^10 is the chance of 5
    assert (mid_p(0, 0), asymptotic_p(0, 0), corrected_p(0, 0), corrected_p(3, 3)) == (1, 1, 1, 1)


def test_tango_without_events() -> None:
    # T(δ)² = z² with b = c = 0 gives nδ = z²(1 − δ), so δ = z²/(n + z²).
    low, high = difference(0, 0, 1000, ALPHA)
    z2 = 1.959963985**2
    assert (low[0], high[0]) == (pytest.approx(-z2 / (1000 + z2)), pytest.approx(z2 / (1000 + z2)))


def test_the_estimate_of_a_difference_is_inside() -> None:
    assert newcombe(59, 6, 16, 80, ALPHA)[0] == pytest.approx((6 - 16) / 161)
    assert float(difference(3, 0, 3, ALPHA)[1][0]) == pytest.approx((3 - 0) / 3)  # where it is the end


def test_tango_and_newcombe_agree_where_there_is_much() -> None:
    low, high = difference(300, 200, 10_000, ALPHA)
    _, other_low, other_high = newcombe(500, 300, 200, 9000, ALPHA)
    assert (low[0], high[0]) == (pytest.approx(other_low, abs=1e-4), pytest.approx(other_high, abs=1e-4))


def test_clopper_pearson_has_closed_forms_at_its_ends() -> None:
    low, high = rate([0, 1000], [1000, 1000], ALPHA)
    assert low == pytest.approx([0, 0.025 ** (1 / 1000)])
    assert high == pytest.approx([1 - 0.025 ** (1 / 1000), 1])


def test_without_trials_everything_is_possible() -> None:
    assert [float(end[0]) for end in difference(0, 0, 0, ALPHA)] == [-1, 1]


def test_one_look_is_narrower_than_looking_always() -> None:
    from shadowproxy.stats import bernoulli, union

    assert rate(3, 1000, ALPHA)[1] < bernoulli.upper(3, 1000, ALPHA)
    assert difference(3, 1, 1000, ALPHA)[1] < union.high_end(3, 1, 1000, ALPHA)


def test_coins() -> None:
    # P[Bin(10, 1/2) ≥ 9] = 11/1024
    assert coin_p([9, 0, 5], [1, 4, 0]) == pytest.approx([11 / 1024, 1, 1 / 32])


def test_students_t_over_buckets() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal(50)
    x -= np.concatenate([[0], x[:-1]]) * 0.2  # neighbours a little unlike, so that nothing is widened
    sums = np.cumsum(bucket_rows(x, np.ones(50)), axis=1)[:, -1:]
    low, high = one_look.ratio(sums, ALPHA)
    reach = 2.0095752 * x.std(ddof=1) / np.sqrt(50)  # t(49) at 97.5 %
    assert (low[0], high[0]) == (pytest.approx(x.mean() - reach), pytest.approx(x.mean() + reach))
