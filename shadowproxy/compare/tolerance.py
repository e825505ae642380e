"""When two numbers count as the same number.

Numbers compare as numbers: 1 and 1.0 are the same, so are 0 and -0.0. NaN is the same as NaN, an infinity only as
itself. A boolean is not a number. Otherwise |a - b| <= max(absolute, relative * max(|a|, |b|)).
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import Final

import msgspec

# A relative tolerance up to here stands for the rounding of floating-point numbers. Integers have none, and identifiers
# of ten and more digits that differ by one would pass as equal; so two integers are held against coarser ones only.
ROUNDING: Final = 1e-6


class Tolerance(msgspec.Struct, frozen=True):
    absolute: float = 0.0
    relative: float = 0.0

    def allows(self, a: float, b: float) -> bool:
        if a == b:
            return True
        relative = self.relative
        if relative <= ROUNDING and a.__class__ is int and b.__class__ is int:
            relative = 0.0
        try:
            gap = abs(a - b)
            if gap <= self.absolute or gap <= relative * max(abs(a), abs(b)):
                return gap < _INFINITY  # the gap to an infinity is one, and no tolerance spans it
        except OverflowError:  # an integer beyond a double's range takes part
            return _allows_exactly(a, b, self.absolute, relative)
        return a != a and b != b


def wider(a: Tolerance, b: Tolerance) -> Tolerance:
    """What both allow together."""
    return Tolerance(max(a.absolute, b.absolute), max(a.relative, b.relative))


def _allows_exactly(a: float, b: float, absolute: float, relative: float) -> bool:
    if any(isinstance(number, float) and not isfinite(number) for number in (a, b)):
        return False
    exact, other = Fraction(a), Fraction(b)
    return abs(exact - other) <= max(Fraction(absolute), Fraction(relative) * max(abs(exact), abs(other)))


_INFINITY: Final = float("inf")
EXACT: Final = Tolerance()

# How far apart the same computation may come out on other hardware, with other kernels or in another batch, by the
# type of its numbers: the defaults of `torch.testing.assert_close`.
BY_DATATYPE: Final = {
    "FP16": Tolerance(1e-5, 1e-3),
    "BF16": Tolerance(1e-5, 1.6e-2),
    "FP32": Tolerance(1e-5, 1.3e-6),
    "FP64": Tolerance(1e-7, 1e-7),
}
