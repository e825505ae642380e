"""The differences between two values: a closed algebra, found by one walk.

    value    scalars of one type that differ            type     values of different types (numbers are one type)
    missing  production has it, the other has not       extra    the other has it, production has not
    length   arrays of different lengths                order    the same elements in another order
    text     bodies that are text and differ            bytes    opaque bodies that differ
    status   answers with different statuses            header   a compared header differs

A difference names one place by a concrete path. Arrays of different lengths give one `length` (its values are the
lengths) and whatever differs in the elements that both have. An array of strings or objects that is a permutation of
its counterpart gives one `order` in place of a difference for each element; arrays of numbers do not: in a tensor the
place is the meaning. The order of an object's members says nothing.

Objects whose names are data (ids, dates, more than fifty classes) are maps: in paths their members are `.*`, so that
a report does not get a field for each of them.

All differences are counted, but only the first `MAX_KEPT` are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from shadowproxy.compare.excerpt import MAX_TEXT, cut, excerpt
from shadowproxy.compare.flatten import flattened
from shadowproxy.compare.jsonpath import ANY_MEMBER, Step, Steps, concrete, written
from shadowproxy.compare.marks import Place
from shadowproxy.compare.pairing import are_permuted, by_key, cancelled
from shadowproxy.compare.tolerance import Tolerance, wider

KINDS: Final = ("value", "type", "missing", "extra", "length", "order", "status", "header", "text", "bytes")
MAX_KEPT: Final = 100

_MISSING: Final = object()
_NUMBERS = frozenset({int, float})
_FLOATS: Final = frozenset({float})
_INFINITY: Final = float("inf")
# Python's own == sees at memory's speed that two containers are equal, but each level that asks looks at all below.
_ASKED_FIRST = 8
_SHORT_PATH = MAX_TEXT - 20  # with an index behind it, it needs no cutting
# An object with more members, or in which most names look like ids, is a map.
_MOST_NAMES = 50
_ID = re.compile(r"\d|[^@]*(?:@|\d{4})", re.DOTALL)
_LONGEST_NAME = 64
# Elements of an unordered array that are not literally the same are tried against each other up to so many pairs.
_MAX_TRIALS = 1_000

# A place on the way down is (the place above, step), written out only when it differs.
_Trail = tuple[Any, Step] | None
# Of floating-point numbers in an array that differ the array's place and (index, excerpt, excerpt) of each: a `_RUN`.
_Note = tuple[_Trail, str, Any, Any]
_RUN: Final = "run"


class Difference(msgspec.Struct, frozen=True):
    path: str
    kind: str
    production: Any  # excerpts; None where a side has nothing there
    other: Any

    def as_dict(self, other_key: str = "shadow") -> dict[str, Any]:
        return {"path": self.path, "kind": self.kind, "production": self.production, other_key: self.other}


class Found(NamedTuple):
    differences: tuple[Difference, ...]
    total: int
    nulls: tuple[int, int] = (0, 0)  # how often each side has null where the other has a number


NOTHING: Final = Found((), 0)


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
    return Found(_written(walk.kept), walk.total, (walk.nulls_production, walk.nulls_other))


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
        self.kept: list[_Note] = []
        self.total = 0
        self.nulls_production = 0
        self.nulls_other = 0

    def compare(self, trail: _Trail, a: Any, b: Any, place: Place | None) -> None:
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

    def note(self, trail: _Trail, kind: str, a: Any, b: Any) -> None:
        self.total += 1
        if self.room > 0:
            self.room -= 1
            self.kept.append((trail, kind, a, b))

    def _scalars(self, trail: _Trail, a: Any, b: Any) -> None:
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

    def _objects(self, trail: _Trail, a: dict[str, Any], b: dict[str, Any], place: Place | None) -> None:
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

    def _arrays(self, trail: _Trail, a: list[Any], b: list[Any], place: Place | None) -> None:
        if place is not None:
            if place.flat:
                a, b = flattened(a), flattened(b)
            if place.key is not None and self._keyed(trail, a, b, place.key, place):
                return
            if place.unordered:
                self._multisets(trail, a, b, place)
                return
        total, kept, room = self.total, len(self.kept), self.room
        nulls = self.nulls_production, self.nulls_other
        self._elements(trail, a, b, place)
        if self.total - total > 1 and len(a) == len(b) and are_permuted(a, b):
            del self.kept[kept:]
            self.total, self.room = total, room
            self.nulls_production, self.nulls_other = nulls
            self.note(trail, "order", a, b)

    def _elements(self, trail: _Trail, a: list[Any], b: list[Any], place: Place | None) -> None:
        if len(a) != len(b):
            self.note(trail, "length", len(a), len(b))
        if (
            _FLOATS.issuperset(map(type, a))
            and _FLOATS.issuperset(map(type, b))
            and (place is None or place.is_uniform)
        ):
            below = place.below(0) if place is not None else None
            if below is None or not below.ignored:
                self._floats(trail, a, b)
            return
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

    def _floats(self, trail: _Trail, a: list[float], b: list[float]) -> None:
        """As `_elements`, for what most of a tensor's pair is; the tolerance is `Tolerance.allows`, written out."""
        absolute, relative = self.tolerance.absolute, self.tolerance.relative
        room = self.room
        total = 0
        run: list[tuple[int, Any, Any]] = []
        index = -1
        for x, y in zip(a, b, strict=False):
            index += 1
            if x != y:
                if x > y:
                    gap, larger = x - y, (x if x > -y else -y)
                else:
                    gap, larger = y - x, (y if y > -x else -x)
                if gap < _INFINITY:  # which only finite numbers have between them
                    if gap <= absolute or gap <= relative * larger:
                        continue
                    if total < room:
                        run.append((index, x, y))
                    total += 1
                elif x == x or y == y:
                    if total < room:
                        run.append((index, excerpt(x), excerpt(y)))
                    total += 1
        if run:
            self.room = room - len(run)
            self.kept.append((trail, _RUN, run, None))
        self.total += total

    def _keyed(self, trail: _Trail, a: list[Any], b: list[Any], key: str, place: Place) -> bool:
        """Pairs objects by a member; False where that cannot be done, as a key is absent or repeated."""
        others = by_key(b, key)
        if others is None or by_key(a, key) is None:
            return False
        for index, x in enumerate(a):
            y_index, y = others.pop(x[key], (0, _MISSING))
            below = place.below(index)
            if below is not None and below.ignored:
                continue
            if y is _MISSING:
                self.note((trail, index), "missing", x, None)
            else:
                self.compare((trail, index), x, y, below)
        for y_index, y in others.values():
            if (below := place.below(y_index)) is None or not below.ignored:
                self.note((trail, y_index), "extra", None, y)
        return True

    def _multisets(self, trail: _Trail, a: list[Any], b: list[Any], place: Place) -> None:
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


def _is_map(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether the names of two objects are data rather than names of fields; the same whichever stands first."""
    if len(a) > _MOST_NAMES or len(b) > _MOST_NAMES:
        return True
    names = [*a] * 2 if a.keys() == b.keys() else [*a, *b]
    return 2 * sum([len(name) > _LONGEST_NAME or _is_id(name) for name in names]) > len(names)


@lru_cache(maxsize=4096)  # of short names only: names come from bodies
def _is_id(name: str) -> bool:
    return _ID.match(name) is not None


def _written(kept: list[_Note]) -> tuple[Difference, ...]:
    found: list[Difference] = []
    above: _Trail = None
    path = "$"
    for trail, kind, a, b in kept:
        if kind is _RUN:
            found += _run(concrete(_steps(trail)), a)
            continue
        if trail is None:
            found.append(Difference("$", kind, excerpt(a), excerpt(b)))
            continue
        # Neighbours share the object above them, and its path is written once.
        if trail[0] is not above:
            above = trail[0]
            path = concrete(_steps(above))
        step = trail[1]
        where = f"{path}[{step}]" if step.__class__ is int and len(path) < _SHORT_PATH else cut(path + written(step))
        # Most of what differs are finite numbers, which are their own excerpts.
        if a.__class__ is not float or a - a != 0:
            a = excerpt(a)
        if b.__class__ is not float or b - b != 0:
            b = excerpt(b)
        found.append(Difference(where, kind, a, b))
    return tuple(found)


def _run(path: str, run: list[tuple[int, Any, Any]]) -> list[Difference]:
    if len(path) < _SHORT_PATH:
        return [Difference(f"{path}[{index}]", "value", a, b) for index, a, b in run]
    return [Difference(cut(path + written(index)), "value", a, b) for index, a, b in run]


def _steps(trail: _Trail) -> Steps:
    steps: list[Step] = []
    while trail is not None:
        trail, step = trail
        steps.append(step)
    return tuple(reversed(steps))
