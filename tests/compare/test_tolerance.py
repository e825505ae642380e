"""When two numbers are the same number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.tolerance import EXACT, Tolerance

nan, inf, huge = math.nan, math.inf, 10**400

NUMBERS = [
    # a, b, absolute, relative, allowed
    (1, 1.0, 0, 0, True),
    (0.0, -0.0, 0, 0, True),
    (1.0, 1.0 + 1e-10, 0, 1e-9, True),  # 1e-10 <= 1e-9
    (1.0, 1.0 + 1e-8, 0, 1e-9, False),
    (0.0, 1e-12, 0, 1e-9, False),  # relative to what? near zero only an absolute tolerance helps
    (0.0, 1e-12, 1e-9, 0, True),
    (100, 105, 0, 0.05, True),  # 5 <= 0.05 * 105 = 5.25
    (100, 106, 0, 0.05, False),  # 6 > 0.05 * 106 = 5.3
    (100, 105, 5, 0, True),
    (100.0, 90.0, 1, 0.1, True),  # the greater of the two counts: 10 <= max(1, 10)
    (nan, nan, 0, 0, True),
    (nan, 1.0, inf, 1, False),
    (nan, inf, 1, 1, False),
    (inf, inf, 0, 0, True),
    (inf, -inf, 1, 1, False),
    (inf, 1e308, 1, 1, False),  # no tolerance spans an infinity
    (1e308, -1e308, 1, 0.5, False),  # the gap overflows
    (1234567890123, 1234567890124, 0, 1e-9, False),  # neighbouring identifiers are not rounding
    (1234567890123.0, 1234567890124.0, 0, 1e-9, True),
    (huge, huge, 0, 0, True),
    (huge, huge + 1, 0, 1e-3, True),  # exact arithmetic where a double has no room
    (huge, huge * 2, 0, 0.1, False),
    (huge, 1.5, 0, 0.1, False),
    (huge, inf, 0, 0.1, False),
    (huge, nan, 0, 0.1, False),
]


@pytest.mark.parametrize(("a", "b", "absolute", "relative", "allowed"), NUMBERS)
def test_a_tolerance_allows_what_its_formula_says(
    a: float, b: float, absolute: float, relative: float, allowed: bool
) -> None:
    tolerance = Tolerance(absolute, relative)
    assert tolerance.allows(a, b) is allowed
    assert tolerance.allows(b, a) is allowed


@given(st.floats() | st.integers(), st.floats() | st.integers())
def test_without_a_tolerance_numbers_are_the_same_when_they_are_equal(a: float, b: float) -> None:
    assert EXACT.allows(a, b) is (a == b or (a != a and b != b))
