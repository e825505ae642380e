from __future__ import annotations

import pytest

from shadowproxy.stats.quantiles import NAMES, P50, P90, P95, P99, needed, shown


@pytest.mark.parametrize(("p", "n"), [(P50, 10), (P90, 50), (P95, 100), (P99, 500)])
def test_a_quantile_needs_five_values_beyond_it(p: float, n: int) -> None:
    # 5 / (1 - p): 5 / 0.5, 5 / 0.1, 5 / 0.05, 5 / 0.01
    assert needed(p) == n


@pytest.mark.parametrize(
    ("n", "names"),
    [(9, []), (10, ["p50"]), (99, ["p50", "p90"]), (499, ["p50", "p90", "p95"]), (500, list(NAMES.values()))],
)
def test_what_too_few_values_would_decide_is_not_shown(n: int, names: list[str]) -> None:
    assert [name for name, value in shown([1.0, 2.0, 3.0, 4.0], n).items() if value is not None] == names


def test_without_values_every_quantile_is_unknown() -> None:
    assert shown(None, 1000) == dict.fromkeys(NAMES.values())
