"""When two numbers are the same number."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare.tolerance import BY_DATATYPE, EXACT, Tolerance

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


def steps(a: float, b: float) -> int:
    """How many single-precision numbers lie between two: their bits as whole numbers that ascend with the value."""
    ordered = [(bits if bits >= 0 else -(bits & 0x7FFFFFFF)) for bits in struct.unpack("<2i", struct.pack("<2f", a, b))]
    return abs(ordered[0] - ordered[1])


def test_published_distances_in_steps_of_single_precision() -> None:
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    assert [steps(1.0, above), steps(-0.0, 0.0), steps(1.0, 2.0)] == [1, 0, 8_388_608]


@pytest.mark.parametrize(
    ("datatype", "relative", "absolute"),
    [("FP16", 1e-3, 1e-5), ("BF16", 1.6e-2, 1e-5), ("FP32", 1.3e-6, 1e-5), ("FP64", 1e-7, 1e-7)],
)
def test_a_data_type_has_the_tolerance_of_torchs_assert_close(datatype: str, relative: float, absolute: float) -> None:
    assert BY_DATATYPE[datatype] == Tolerance(absolute, relative)


def test_single_precision_may_be_a_few_steps_off() -> None:
    allowed = BY_DATATYPE["FP32"]
    for apart, value in ((10, 1000.0 + 10 * 2**-14), (30, 1000.0 + 30 * 2**-14)):
        assert steps(1000.0, value) == apart  # a step is 2^-14 from 512 to 1024
        assert allowed.allows(1000.0, value) is (apart * 2**-14 <= 1.3e-6 * value)
    assert allowed.allows(1000.0, 1000.0 + 10 * 2**-14)
    assert not allowed.allows(1000.0, 1000.0 + 30 * 2**-14)


@given(st.floats() | st.integers(), st.floats() | st.integers())
def test_without_a_tolerance_numbers_are_the_same_when_they_are_equal(a: float, b: float) -> None:
    assert EXACT.allows(a, b) is (a == b or (a != a and b != b))
