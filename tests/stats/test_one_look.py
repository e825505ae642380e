from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import one_look
from shadowproxy.stats.asymptotic import bucket_rows
from shadowproxy.stats.mcnemar import asymptotic_p, corrected_p, mid_p
from shadowproxy.stats.one_look import coin_p, difference, newcombe, rate

ALPHA = 0.05
CAVO = (59, 6, 16, 80)  # Cavo 2012, as the R package contingencytables tests it


def test_mcnemar_published_values() -> None:
    assert mid_p(6, 16) == pytest.approx(0.034690, abs=1e-6)
    assert asymptotic_p(6, 16) == pytest.approx(0.033006, abs=1e-6)
    assert corrected_p(6, 16) == pytest.approx(0.055009, abs=1e-6)
    assert mid_p(1, 7) == pytest.approx(0.0390625, abs=1e-7)  # Bentur 2009


def test_mcnemar_without_a_difference() -> None:
    assert mid_p(5, 5) == pytest.approx(1 - 252 / 1024 / 2)  # C(10, 5) / 2^10 is the chance of 5
    assert (mid_p(0, 0), asymptotic_p(0, 0), corrected_p(0, 0), corrected_p(3, 3)) == (1, 1, 1, 1)


def test_newcombe_published_values() -> None:
    assert newcombe(*CAVO, ALPHA) == pytest.approx((-0.0621, -0.1186212, -0.0046251), abs=5e-5)
    assert newcombe(*CAVO, ALPHA)[1:] == pytest.approx((-0.1186212, -0.0046251), abs=1e-7)
    assert newcombe(1, 0, 0, 1, ALPHA) == pytest.approx((0, -0.5734, 0.5734), abs=5e-5)


@pytest.mark.parametrize(
    ("b", "c", "n", "low", "high"),
    [(6, 16, 161, -0.1240234, -0.0054334), (3, 0, 3, -0.1230, 1.0), (0, 0, 0, -1.0, 1.0)],
)
def test_tango_published_values(b: int, c: int, n: int, low: float, high: float) -> None:
    found = [float(end[0]) for end in difference(b, c, n, ALPHA)]
    assert found == pytest.approx([low, high], abs=1e-7 if n > 3 else 5e-5)


def test_tango_without_events() -> None:
    # T(δ)² = z² with b = c = 0 gives nδ = z²(1 − δ), so δ = z²/(n + z²).
    low, high = difference(0, 0, 1000, ALPHA)
    z2 = 1.959963985**2
    assert (low[0], high[0]) == (pytest.approx(-z2 / (1000 + z2)), pytest.approx(z2 / (1000 + z2)))


def test_tango_and_newcombe_agree_where_there_is_much() -> None:
    low, high = difference(300, 200, 10_000, ALPHA)
    _, other_low, other_high = newcombe(500, 300, 200, 9000, ALPHA)
    assert (low[0], high[0]) == (pytest.approx(other_low, abs=1e-4), pytest.approx(other_high, abs=1e-4))


def test_clopper_pearson() -> None:
    low, high = rate([0, 3, 1000], [1000, 1000, 1000], ALPHA)
    assert low == pytest.approx([0, 0.0006191, 0.025 ** (1 / 1000)], abs=1e-7)
    assert high == pytest.approx([0.0036821, 0.0087420, 1], abs=1e-7)


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
