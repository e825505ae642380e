from __future__ import annotations

import pytest

from shadowproxy.stats import ranks
from shadowproxy.stats.quantiles import NAMES, P90, P95, P99, needed, shown


@pytest.mark.parametrize(("p", "n"), [(P90, 103), (P95, 163), (P99, 501)])
def test_a_quantile_is_shown_where_its_sequence_is_bounded_by_values(p: float, n: int) -> None:
    assert needed(p) == n
    # The published numbers are of an approximation to the mixture, which is itself bounded 2 values earlier at most.
    assert ranks.sequence(n, p, 0.05) is not None
    assert ranks.sequence(n - 3, p, 0.05) is None


@pytest.mark.parametrize(
    ("n", "names"),
    [
        (9, []),
        (10, ["p50"]),
        (102, ["p50"]),
        (103, ["p50", "p90"]),
        (162, ["p50", "p90"]),
        (500, ["p50", "p90", "p95"]),
        (501, list(NAMES.values())),
    ],
)
def test_what_too_few_values_would_decide_is_not_shown(n: int, names: list[str]) -> None:
    assert [name for name, value in shown([1.0, 2.0, 3.0, 4.0], n).items() if value is not None] == names


def test_without_values_every_quantile_is_unknown() -> None:
    assert shown(None, 1000) == dict.fromkeys(NAMES.values())
