"""Rows of probabilities: which class is the greatest, and whether they are probabilities at all."""

from __future__ import annotations

from operator import ne
from typing import Any, Final

NUMBERS: Final[frozenset[Any]] = frozenset({int, float})
# Rows of probabilities may miss a sum of 1 by the rounding of half-precision numbers over a thousand classes.
_SUM_SLACK: Final = 0.01
_SLACK: Final = 1e-6
_INFINITY: Final = float("inf")


def greatest(row: Any) -> Any:
    """The class of the greatest probability: its position, or its name; None where a number is missing."""
    classes = range(len(row)) if isinstance(row, list) else row.keys() if isinstance(row, dict) else ()
    numbers = row.values() if isinstance(row, dict) else row
    if not classes or not NUMBERS.issuperset(map(type, numbers)) or any(map(ne, numbers, numbers)):
        return None
    return row.index(max(row)) if isinstance(row, list) else max(classes, key=row.__getitem__)


def weighed(row: Any) -> tuple[Any, bool]:
    """(`greatest`, `is_no_distribution`) of a row: of one that is a distribution, which most are, looked at once."""
    if row.__class__ is list and row and NUMBERS.issuperset(map(type, row)):
        try:
            if abs(sum(row) - 1) <= _SUM_SLACK:  # nothing in it that is not finite
                top = max(row)
                return row.index(top), min(row) < -_SLACK or top > 1 + _SLACK
        except OverflowError:  # an integer beyond a double
            pass
    return greatest(row), is_no_distribution(row)


def is_distribution(row: Any) -> bool:
    """Numbers in [0, 1] that sum to 1."""
    numbers = row if row.__class__ is list else list(row.values()) if isinstance(row, dict) else []
    if not numbers or not NUMBERS.issuperset(map(type, numbers)):
        return False
    try:
        # A sum that is near 1 holds nothing that is not finite.
        return abs(sum(numbers) - 1) <= _SUM_SLACK and _are_shares(numbers)
    except OverflowError:  # an integer beyond a double
        return False


def is_no_distribution(row: Any) -> bool:
    """Numbers off [0, 1], or not summing to 1; what is not finite or no number is counted elsewhere."""
    return not is_distribution(row) and bool(_finite(row))


def are_shares(row: Any) -> bool:
    """Numbers in [0, 1]: the best few classes of many need not sum to 1."""
    numbers = _finite(row)
    return bool(numbers) and _are_shares(numbers)


def _are_shares(numbers: list[float]) -> bool:
    return min(numbers) >= -_SLACK and max(numbers) <= 1 + _SLACK


def _finite(row: Any) -> list[float]:
    """The row's numbers, [] where one is none or not finite."""
    numbers = row if isinstance(row, list) else list(row.values()) if isinstance(row, dict) else []
    if not numbers or not NUMBERS.issuperset(map(type, numbers)):
        return []
    try:
        if -_INFINITY < sum(numbers) < _INFINITY:
            return numbers
    except OverflowError:  # an integer beyond a double
        pass
    # Compared, not asked: math.isfinite cannot take such an integer. The sum of finite numbers may be none.
    return numbers if all(-_INFINITY < number < _INFINITY for number in numbers) else []
