"""Rows of probabilities: the one look at a row says what the single ones say."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.compare.distribution import greatest, is_distribution, is_no_distribution, weighed

INFINITY = float("inf")
NAN = float("nan")


@pytest.mark.parametrize(
    ("row", "top", "is_fault"),
    [
        ([0.1, 0.9], 1, False),
        ([0.5, 0.5], 0, False),
        ([1, 0], 0, False),
        ([0.99, 0.005], 0, False),  # rounding
        ([0.2, 0.2], 0, True),
        ([1.5, -0.5], 0, True),
        ([0.5, -0.1, 0.6], 2, True),
        ([NAN, 1.0], None, False),  # what is not finite is counted elsewhere
        ([INFINITY, -INFINITY], 0, False),
        ([1e308, 1e308], 0, True),  # finite, though their sum is not
        ([10**400, 0.5], 0, True),
        ([0.5, None, 0.5], None, False),
        ([True, 0.0], None, False),
        (["a", 1.0], None, False),
        ([], None, False),
        (None, None, False),
        ({"cat": 0.9, "dog": 0.1}, "cat", False),
        ({"cat": 0.9, "dog": 0.9}, "cat", True),
    ],
)
def test_a_row_is_weighed_at_once_as_by_parts(row: Any, top: Any, is_fault: bool) -> None:
    assert weighed(row) == (top, is_fault) == (greatest(row), is_no_distribution(row))
    assert not (is_fault and is_distribution(row))
