"""Which elements of two arrays belong together."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shadowproxy.compare.pairing import are_permuted, by_key, cancelled

nan = math.nan


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ([], {}),
        ([{"k": "a"}, {"k": 1}], {"a": (0, {"k": "a"}), 1: (1, {"k": 1})}),
        ([{"k": "a"}, {"k": "a"}], None),  # a repeated key names nothing
        ([{"k": True}], None),
        ([{"k": [1]}], None),
        ([{"x": 1}], None),
        (["k"], None),
    ],
)
def test_objects_are_found_by_a_member(array: list[Any], expected: Any) -> None:
    assert by_key(array, "k") == expected


@pytest.mark.parametrize(
    ("a", "b", "permuted"),
    [
        (["a", "b"], ["b", "a"], True),
        (["a", "b"], ["a", "b"], False),  # nothing moved
        (["a", "a", "b", "b"], ["a", "b", "b", "b"], False),
        ([{"x": 1}, {"x": 2}], [{"x": 2}, {"x": 1}], True),
        ([{"x": 1}, {"x": True}], [{"x": True}, {"x": 1}], False),  # equal to Python: by place they differ in type
        ([1, 2], [2, 1], False),
        (["a", 1], [1, "a"], False),
        ([["a"], ["b"]], [["b"], ["a"]], False),
    ],
)
def test_arrays_of_strings_or_objects_may_be_permuted(a: list[Any], b: list[Any], permuted: bool) -> None:
    assert are_permuted(a, b) is permuted


@pytest.mark.parametrize(
    ("a", "b", "rest"),
    [
        ([], [], ([], [])),
        ([1, 2, 2], [2, 3], ([0, 2], [1])),
        ([1], [True], ([0], [0])),
        ([nan], [nan], ([], [])),
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], ([], [])),
    ],
)
def test_literally_equal_elements_cancel(a: list[Any], b: list[Any], rest: tuple[list[int], list[int]]) -> None:
    assert cancelled(a, b) == rest
