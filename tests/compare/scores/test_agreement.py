"""Cohen's kappa with its published interval."""

from __future__ import annotations

import pytest

from shadowproxy.compare.scores.agreement import cohens_kappa

PUBLISHED = [
    # table, kappa, 95 % interval
    ([[20, 5], [10, 15]], 0.4, 0.1511, 0.6489),
    ([[25, 5], [10, 60]], 0.6590909, 0.50224, 0.81594),
]


@pytest.mark.parametrize(("table", "kappa", "low", "high"), PUBLISHED)
def test_kappa_and_its_interval(table: list[list[int]], kappa: float, low: float, high: float) -> None:
    found = cohens_kappa(table)
    assert found is not None
    assert found.kappa == pytest.approx(kappa, abs=5e-8)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_where_chance_explains_everything_there_is_no_kappa() -> None:
    assert cohens_kappa([[0, 0], [0, 0]]) is None
    assert cohens_kappa([[7, 0], [0, 0]]) is None
