"""Order statistics: ranks of a quantile's interval, and Hodges-Lehmann's place of a difference."""

from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import ranks
from shadowproxy.stats.location import MOST, hodges_lehmann, signed_rank, signed_rank_law, signed_rank_quantile

ALPHA = 0.05


@pytest.mark.parametrize(("n", "p"), [(50, 0.5), (1000, 0.5), (1000, 0.95), (20_000, 0.99)])
def test_looking_always_costs_ranks(n: int, p: float) -> None:
    always, once = ranks.sequence(n, p, ALPHA), ranks.one_look(n, p, ALPHA)
    assert always is not None
    assert once is not None
    assert always[0] < once[0] <= n * p <= once[1] < always[1]


def test_an_end_beyond_the_values_is_no_bound() -> None:
    assert ranks.one_look_ends(100, 0.99, ALPHA) == (97, 101)  # there is no 101st value
    assert ranks.one_look(100, 0.99, ALPHA) is None
    assert ranks.within((0, 101), 100) == (1, 100)


def test_walsh_averages_of_three() -> None:
    # Of 1, 2, 6: 1, 1.5, 2, 3.5, 4, 6. Three differences cannot bound anything at 95 %, so that the ends are all.
    assert hodges_lehmann(np.array([1.0, 2.0, 6.0]), ALPHA) == (2.75, 1.0, 6.0)
    assert signed_rank(np.array([1.0, -2.0, 6.0])) == 4  # ranks 1 and 3


def test_the_normal_approximation_takes_over_without_a_jump() -> None:
    exact = int(np.searchsorted(np.cumsum(signed_rank_law(61)), 0.025))
    assert signed_rank_quantile(61, 0.025) == pytest.approx(exact, abs=1)


@pytest.mark.parametrize("n", [0, MOST + 1])
def test_the_averages_are_bounded(n: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 5,000 differences"):
        hodges_lehmann(np.zeros(n), ALPHA)
