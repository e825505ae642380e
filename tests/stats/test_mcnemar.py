from __future__ import annotations

import pytest

from shadowproxy.stats.mcnemar import METHOD, exact_p


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (6, 16, 0.0524788),  # Cavo 2012, as the R package contingencytables tests it
        (16, 6, 0.0524788),
        (1, 7, 0.0703125),  # Bentur 2009: 2 · (1 + 8) / 2^8
        (10, 0, 0.00195312),  # 2 / 2^10
        (30, 10, 0.00222143),
        (5, 5, 1.0),
        (0, 0, 1.0),
    ],
)
def test_published_values(b: int, c: int, p: float) -> None:
    assert exact_p(b, c) == pytest.approx(p, rel=1e-5)


def test_it_is_named_a_test_for_one_look() -> None:
    assert "one look" in METHOD
