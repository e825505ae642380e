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
        if a.__class__ is int and b.__class__ is int:
            return self._allows(a, b, self.relative if self.relative > ROUNDING else 0.0)
        if any(isinstance(number, float) and not isfinite(number) for number in (a, b)):
            return a != a and b != b
        return self._allows(a, b, self.relative)

    def _allows(self, a: float, b: float, relative: float) -> bool:
        try:
            return abs(a - b) <= max(self.absolute, relative * max(abs(a), abs(b)))
        except OverflowError:  # an integer beyond a double's range takes part: exact arithmetic instead
            exact, other = Fraction(a), Fraction(b)
            return abs(exact - other) <= max(Fraction(self.absolute), Fraction(relative) * max(abs(exact), abs(other)))


EXACT: Final = Tolerance()
