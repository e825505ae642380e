"""Order statistics: ranks of a quantile's interval, and Hodges-Lehmann's place of a difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from scipy.stats.mstats import hdquantiles

from shadowproxy.stats import ranks
from shadowproxy.stats.location import MOST, hodges_lehmann, signed_rank, signed_rank_law, signed_rank_quantile

ALPHA = 0.05


@pytest.mark.parametrize(
    ("n", "p", "expected"),
    [
        (100, 0.5, (31, 70)),
        (1000, 0.5, (453, 548)),
        (1000, 0.9, (870, 928)),
        (1000, 0.95, (928, 970)),
        (1000, 0.99, (979, 998)),
        (10_000, 0.5, (4838, 5163)),
        (10_000, 0.9, (8901, 9096)),
        (10_000, 0.95, (9428, 9569)),
        (10_000, 0.99, (9866, 9931)),
    ],
)
def test_ranks_at_any_time(n: int, p: float, expected: tuple[int, int]) -> None:
    assert ranks.sequence(n, p, ALPHA) == expected


@pytest.mark.parametrize(("p", "n"), [(0.9, 103), (0.95, 163), (0.99, 501), (0.999, 3428)])
def test_too_few_values_have_no_upper_rank(p: float, n: int) -> None:
    assert ranks.sequence(round(n * 0.98), p, ALPHA) is None
    assert ranks.sequence(n, p, ALPHA) is not None


@pytest.mark.parametrize(
    ("n", "p", "expected"),
    [
        (1000, 0.5, (469, 532)),
        (1000, 0.95, (936, 964)),
        (1000, 0.99, (983, 997)),
        (10_000, 0.99, (9880, 9920)),
        (100, 0.99, None),  # 97–101: there is no 101st value
    ],
)
def test_ranks_at_one_look(n: int, p: float, expected: tuple[int, int] | None) -> None:
    assert ranks.one_look(n, p, ALPHA) == expected


# Hollander & Wolfe's depression scores, as in R's documentation of wilcox.test.
BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])


def test_hodges_lehmann_published_values() -> None:
    assert hodges_lehmann(BEFORE - AFTER, ALPHA) == pytest.approx((0.46, 0.010, 0.786))
    assert signed_rank(BEFORE - AFTER) == 40
    assert signed_rank_law(9)[40:].sum() == pytest.approx(0.01953125)


def test_the_normal_approximation_takes_over_without_a_jump() -> None:
    exact = int(np.searchsorted(np.cumsum(signed_rank_law(61)), 0.025))
    assert signed_rank_quantile(61, 0.025) == pytest.approx(exact, abs=1)


@pytest.mark.parametrize("n", [0, MOST + 1])
def test_the_averages_are_bounded(n: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 5,000 differences"):
        hodges_lehmann(np.zeros(n), ALPHA)


def test_what_the_page_cites_of_scipy() -> None:
    adjusted = false_discovery_control([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205])
    assert adjusted == pytest.approx([0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.0845714, 0.205], abs=1e-7)
    assert np.asarray(hdquantiles(np.arange(1.0, 11.0), [0.5, 0.9, 0.99])) == pytest.approx(
        [5.5, 9.43511518, 9.97225151], abs=1e-8
    )
