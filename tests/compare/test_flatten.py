"""Nested arrays as one."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.compare.flatten import flattened


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ([], []),
        ([1, 2], [1, 2]),
        ([[1, 2], [3]], [1, 2, 3]),
        ([[[1], [2]], [[3], [4]]], [1, 2, 3, 4]),
        ([1, [2, [3]], "ab"], [1, 2, 3, "ab"]),
        ([[], [[]]], []),
        ([{"a": [1]}], [{"a": [1]}]),
    ],
)
def test_arrays_are_flattened_row_by_row(array: list[Any], expected: list[Any]) -> None:
    assert flattened(array) == expected
