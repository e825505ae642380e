"""Nested arrays as one, row-major: how tensors are compared whether they come nested or flat."""

from __future__ import annotations

from typing import Any, Final

_SCALARS: Final = frozenset({float, int, str, bool, type(None)})


def flattened(array: list[Any]) -> list[Any]:
    """Level by level, so without recursion; the array itself where nothing is nested."""
    # A set's look-up takes half as long as comparing each type with one.
    while not _SCALARS.issuperset(map(type, array)) and list in map(type, array):
        array = [inner for element in array for inner in (element if element.__class__ is list else (element,))]
    return array
