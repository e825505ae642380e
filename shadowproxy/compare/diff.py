"""What differs between two values: found by one walk (`differences` says what there is to find).

Arrays of different lengths give one `length` (its values are the lengths) and whatever differs in the elements that
both have. An array of strings or objects that is a permutation of its counterpart gives one `order` in place of a
difference for each element; arrays of numbers do not: in a tensor the place is the meaning. The order of an object's
members says nothing.

Objects whose names are data (ids, dates, more than fifty classes) are maps: in paths their members are `.*`, so that
a report does not get a field for each of them.

All differences are counted, but only the first `MAX_KEPT` are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import hypot
from operator import sub
from typing import Any, Final

import orjson

from shadowproxy.compare.differences import MAX_KEPT, NOTHING, Found, Note, Trail, of_notes
from shadowproxy.compare.flatten import flattened
from shadowproxy.compare.jsonpath import ANY_MEMBER
from shadowproxy.compare.marks import Place
from shadowproxy.compare.pairing import are_permuted, by_key, cancelled
from shadowproxy.compare.tolerance import Tolerance, wider

_MISSING: Final = object()
_ABSENT: Final = 0, _MISSING
_NUMBERS = frozenset({int, float})
_FLOATS: Final = frozenset({float})
_INFINITY: Final = float("inf")
# Python's own == sees at memory's speed that two containers are equal, but each level that asks looks at all below.
_ASKED_FIRST = 8
# An object with more members, or in which most names look like ids, is a map.
_MOST_NAMES = 50
_ID = re.compile(r"\d|[^@]*(?:@|\d{4})", re.DOTALL)
_LONGEST_NAME = 64
# Elements of an unordered array that are not literally the same are tried against each other up to so many pairs.
_MAX_TRIALS = 1_000


def diff(
    production: Any,
    other: Any,
    place: Place | None,
    tolerance: Tolerance,
    keep: int = MAX_KEPT,
    booleans: bool = True,
) -> Found:
    """What differs between two lifted JSON values; `place` carries what the rules say about paths.

    `booleans` says whether either value may hold any: without them, what is equal to Python is equal here too; with
    them, what is written alike as well.
    """
    if place is not None and place.ignored:
        return NOTHING
    walk = _Walk(tolerance, keep, _ASKED_FIRST, booleans)
    walk.compare(None, production, other, place)
    if not walk.total:
        return NOTHING
    return Found(of_notes(walk.kept), walk.total, (walk.nulls_production, walk.nulls_other))


def same(a: Any, b: Any, tolerance: Tolerance) -> bool:
    """Whether two lifted values are equal, numbers within the tolerance."""
    walk = _Walk(tolerance, 0)
    walk.compare(None, a, b, None)
    return walk.total == 0


class _Walk:
    """One walk. The loops over members and elements handle scalars themselves: a call for each costs as much again.

    A pair of 2.3 KB with one difference costs 43 us with both answers read, 55 us where it holds booleans, as Python
    takes 1 for True and what is equal to it is written down as well; looking at every scalar instead costs 103 us
    (python -m bench.compare, where `[None for _ in range(1000)]` took 13 us).
    """

    __slots__ = (
        "allows", "booleans", "kept", "levels", "nulls_other", "nulls_production", "room", "tolerance", "total",
    )  # fmt: skip

    def __init__(self, tolerance: Tolerance, keep: int, levels: int = 0, booleans: bool = True) -> None:
        self.tolerance = tolerance
        self.allows = tolerance.allows
        self.room = keep  # how many more are kept
        self.levels = levels  # that are still below and may be asked for equality as a whole
        self.booleans = booleans  # which Python takes for numbers
        self.kept: list[Note] = []
        self.total = 0
        self.nulls_production = 0
        self.nulls_other = 0

    def compare(self, trail: Trail, a: Any, b: Any, place: Place | None) -> None:
        """Any two values; the place is not ignored. Recursion is bounded by the depth that `lift` allows."""
        kind = a.__class__
        if kind is not b.__class__:
            self._scalars(trail, a, b)
        elif kind is list or kind is dict:
            if self.levels > 0 and a == b and (not self.booleans or _are_written_alike(a, b)):
                return
            self.levels -= 1
            usual = self.tolerance
            if place is not None and place.is_loose:
                self._loosen(place, a, b)
            if kind is list:
                self._arrays(trail, a, b, place)
            else:
                self._objects(trail, a, b, place)
            if usual is not self.tolerance:
                self._hold(usual)
            self.levels += 1
        elif a != b:
            self._scalars(trail, a, b)

    def _hold(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.allows = tolerance.allows

    def _loosen(self, place: Place, a: Any, b: Any) -> None:
        """For what lies below: the numbers' own type says how far the same computation may come out apart."""
        rounded = place.rounded
        if place.typed is not None and a.__class__ is dict:
            datatype = a.get("datatype")
            if datatype.__class__ is str and datatype == b.get("datatype"):
                rounded = place.typed.get(datatype)
        if rounded is not None:
            self._hold(wider(self.tolerance, rounded))

    def note(self, trail: Trail, kind: str, a: Any, b: Any) -> None:
        self.total += 1
        if self.room > 0:
            self.room -= 1
            self.kept.append((trail, kind, a, b))

    def _scalars(self, trail: Trail, a: Any, b: Any) -> None:
        """Two values that are not both arrays or both objects, and not equal values of one type."""
        kind, other = a.__class__, b.__class__
        if kind in _NUMBERS and other in _NUMBERS:
            if not self.allows(a, b):
                self.note(trail, "value", a, b)
        elif kind is other:
            self.note(trail, "value", a, b)
        else:
            if a is None and other in _NUMBERS:
                self.nulls_production += 1
            elif b is None and kind in _NUMBERS:
                self.nulls_other += 1
            self.note(trail, "type", a, b)

    def _objects(self, trail: Trail, a: dict[str, Any], b: dict[str, Any], place: Place | None) -> None:
        missing = 0
        below = None
        is_map: bool | None = None  # looked at when the first member differs
        for name, x in a.items():
            try:
                y = b[name]
            except KeyError:
                missing += 1
                if place is None or (below := place.below(name)) is None or not below.ignored:
                    is_map = _is_map(a, b) if is_map is None else is_map
                    self.note((trail, ANY_MEMBER if is_map else name), "missing", x, None)
                continue
            if x is y:
                continue
            kind = x.__class__
            is_scalar = kind is not y.__class__ or (kind is not dict and kind is not list)
            if is_scalar and kind is y.__class__ and x == y:
                continue
            if place is not None and (below := place.below(name)) is not None and below.ignored:
                continue
            is_map = _is_map(a, b) if is_map is None else is_map
            step = ANY_MEMBER if is_map else name
            if is_scalar:
                self._scalars((trail, step), x, y)
            else:
                self.compare((trail, step), x, y, below)
        if len(a) - missing != len(b):
            for name, y in b.items():
                if name not in a and not (place is not None and (below := place.below(name)) and below.ignored):
                    is_map = _is_map(a, b) if is_map is None else is_map
                    self.note((trail, ANY_MEMBER if is_map else name), "extra", None, y)

    def _arrays(self, trail: Trail, a: list[Any], b: list[Any], place: Place | None) -> None:
        are_floats = _FLOATS.issuperset(map(type, a)) and _FLOATS.issuperset(map(type, b))
        if place is not None:
            if place.flat and not are_floats:
                a, b = flattened(a), flattened(b)
                are_floats = _FLOATS.issuperset(map(type, a)) and _FLOATS.issuperset(map(type, b))
            if place.key is not None and self._keyed(trail, a, b, place.key, place):
                return
            if place.unordered:
                self._multisets(trail, a, b, place)
                return
        total, kept, room = self.total, len(self.kept), self.room
        nulls = self.nulls_production, self.nulls_other
        if len(a) != len(b):
            self.note(trail, "length", len(a), len(b))
        if are_floats and (place is None or place.is_uniform):
            below = place.below(0) if place is not None else None
            if below is None or not below.ignored:
                self._floats(trail, a, b)
            return
        self._elements(trail, a, b, place)
        if self.total - total > 1 and len(a) == len(b) and are_permuted(a, b):
            del self.kept[kept:]
            self.total, self.room = total, room
            self.nulls_production, self.nulls_other = nulls
            self.note(trail, "order", a, b)

    def _elements(self, trail: Trail, a: list[Any], b: list[Any], place: Place | None) -> None:
        index = -1
        below = None
        for x, y in zip(a, b, strict=False):
            index += 1
            if x is y:
                continue
            kind = x.__class__
            is_scalar = kind is not y.__class__ or (kind is not dict and kind is not list)
            if is_scalar and kind is y.__class__ and x == y:
                continue
            if place is not None and (below := place.below(index)) is not None and below.ignored:
                continue
            if is_scalar:
                self._scalars((trail, index), x, y)
            else:
                self.compare((trail, index), x, y, below)

    def _floats(self, trail: Trail, a: list[float], b: list[float]) -> None:
        """As `_elements`, for what most of a tensor's pair is.

        Where the gap is more than any of the numbers could have allowed, the tolerance need not be asked: a call for
        each took several times as long as all the rest.
        """
        if not a or not b:
            return
        absolute, relative = self.tolerance.absolute, self.tolerance.relative
        norm = hypot(*a, *b)  # no number is larger (but for rounding, hence twice), nor any infinite where it is not
        most = max(absolute, 2 * relative * norm)
        allows = self.allows
        if not (norm < _INFINITY and most < _INFINITY):
            indexes = [index for index, (x, y) in enumerate(zip(a, b, strict=False)) if not allows(x, y)]
        elif min(map(abs, map(sub, a, b))) > most:  # all of them: a loop of 900 bytecodes less for 46 numbers
            indexes = list(range(min(len(a), len(b))))
        else:
            indexes = [
                index
                for index, (x, y) in enumerate(zip(a, b, strict=False))
                if not -most <= x - y <= most or (x != y and not allows(x, y))
            ]
        self.total += len(indexes)
        kept = indexes[: self.room]
        if kept:
            self.room -= len(kept)
            self.kept.append((trail, kept, _at(a, kept), _at(b, kept)))

    def _keyed(self, trail: Trail, a: list[Any], b: list[Any], key: str, place: Place) -> bool:
        """Pairs objects by a member; False where that cannot be done, as a key is absent or repeated."""
        ours, others = by_key(a, key), by_key(b, key)
        if ours is None or others is None:
            return False
        # `compare` begins with the same question: spares a call for each that is equal.
        may_ask = self.levels > 0 and not self.booleans
        is_uniform, below = place.is_uniform, place.below(0)
        for name, (index, x) in ours.items():
            if not is_uniform:
                below = place.below(index)
            _, y = others.pop(name, _ABSENT)
            if (below is not None and below.ignored) or (may_ask and x == y):
                continue
            if y is _MISSING:
                self.note((trail, index), "missing", x, None)
            else:
                self.compare((trail, index), x, y, below)
        for index, y in others.values():
            if (below := place.below(index)) is None or not below.ignored:
                self.note((trail, index), "extra", None, y)
        return True

    def _multisets(self, trail: Trail, a: list[Any], b: list[Any], place: Place) -> None:
        """Literal equals cancel; the rest is tried pair by pair, within the tolerance and what is ignored inside."""
        rest_a, rest_b = cancelled(a, b)
        if len(rest_a) * len(rest_b) <= _MAX_TRIALS:
            for index in tuple(rest_a):
                below = place.below(index)
                for other in rest_b:
                    trial = _Walk(self.tolerance, 0)
                    trial.compare(None, a[index], b[other], below)
                    if not trial.total:
                        rest_a.remove(index)
                        rest_b.remove(other)
                        break
        for index in rest_a:
            self.note((trail, index), "missing", a[index], None)
        for index in rest_b:
            self.note((trail, index), "extra", None, b[index])


def _are_written_alike(a: Any, b: Any) -> bool:
    """Of two values that Python takes for equal: whether True stands where True stands. False where nobody knows, as
    with members in another order, or numbers that orjson does not write."""
    try:
        return orjson.dumps(a) == orjson.dumps(b)
    except orjson.JSONEncodeError:
        return False


def _at(numbers: list[float], indexes: list[int]) -> list[float]:
    """Those of the rising indexes: a slice where they are the first."""
    many = len(indexes)
    return numbers[:many] if indexes[-1] == many - 1 else [numbers[index] for index in indexes]


def _is_map(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether the names of two objects are data rather than names of fields; the same whichever stands first."""
    if len(a) > _MOST_NAMES or len(b) > _MOST_NAMES:
        return True
    return 2 * (_ids(tuple(a)) + _ids(tuple(b))) > len(a) + len(b)


def _ids(names: tuple[str, ...]) -> int:
    """How many of them look like data."""
    # Of most objects a model's answers have the same few names: remembered where they are short.
    return _known_ids(names) if sum(map(len, names)) <= _MOST_CHARACTERS else _count_ids(names)


def _count_ids(names: tuple[str, ...]) -> int:
    return sum([len(name) > _LONGEST_NAME or _is_id(name) for name in names])


_known_ids: Final = lru_cache(maxsize=1024)(_count_ids)
_MOST_CHARACTERS: Final = 400


@lru_cache(maxsize=4096)  # of short names only: names come from bodies
def _is_id(name: str) -> bool:
    return _ID.match(name) is not None
