"""The differences between two answers: what they are, and how they and their places are written.

    value    scalars of one type that differ            type     values of different types (numbers are one type)
    missing  production has it, the other has not       extra    the other has it, production has not
    length   arrays of different lengths                order    the same elements in another order
    text     bodies that are text and differ            bytes    opaque bodies that differ
    status   answers with different statuses            header   a compared header differs

A difference names one place by a concrete path. Numbers of one array that differ come together, as a `Run`: tensors
differ in many, and an object for each, made only to be written down, cost more than finding them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import hypot
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from shadowproxy.compare.excerpt import MAX_TEXT, cut, excerpt
from shadowproxy.compare.jsonpath import Step, Steps, concrete, written

KINDS: Final = ("value", "type", "missing", "extra", "length", "order", "status", "header", "text", "bytes")
MAX_KEPT: Final = 100

_INFINITY: Final = float("inf")
_SHORT_PATH = MAX_TEXT - 20  # with an index behind it, it needs no cutting

# A place on the way down is (the place above, step), written out only when it differs.
Trail = tuple[Any, Step] | None
# (place, kind, production, other); of a `RUN` the array's place, its numbers' indexes, and each side's numbers.
Note = tuple[Trail, Any, Any, Any]


class Difference(msgspec.Struct, frozen=True):
    path: str
    kind: str
    production: Any  # excerpts; None where a side has nothing there
    other: Any

    def as_dict(self, other_key: str = "shadow") -> dict[str, Any]:
        return {"path": self.path, "kind": self.kind, "production": self.production, other_key: self.other}


class Run(msgspec.Struct, frozen=True):
    """Differences of kind `value` in one array, one for each index; there is at least one, and they rise."""

    path: str  # the array's
    indexes: Sequence[int]
    production: Sequence[Any]  # excerpts
    other: Sequence[Any]

    @property
    def paths(self) -> list[str]:
        path = self.path
        if len(path) < _SHORT_PATH:
            return [f"{path}[{index}]" for index in self.indexes]
        return [cut(path + written(index)) for index in self.indexes]

    def each(self) -> list[Difference]:
        numbers = zip(self.paths, self.production, self.other, strict=True)
        return [Difference(path, "value", a, b) for path, a, b in numbers]

    def text(self, other_key: str) -> bytes:
        """`each` as JSON, as it stands between the brackets of an array."""
        path, indexes = self.path, self.indexes
        if len(path) < _SHORT_PATH and indexes[-1] < MAX_KEPT:
            known = _openings(path)
            many = len(indexes)
            openings = known[:many] if indexes[-1] == many - 1 else [known[index] for index in indexes]
        else:
            openings = list(map(_opening, self.paths))
        # One join of slices: a dictionary for each, written by orjson, takes twice as long (9 us for 46 numbers).
        parts = [b',"%b":' % other_key.encode()] * (4 * len(indexes))
        parts[0::4] = openings
        parts[1::4] = _texts(self.production)
        parts[3::4] = _texts(self.other)
        return b"".join(parts)[2:] + b"}"


class Found(NamedTuple):
    kept: tuple[Difference | Run, ...]
    total: int
    nulls: tuple[int, int] = (0, 0)  # how often each side has null where the other has a number

    @property
    def differences(self) -> tuple[Difference, ...]:
        return each(self.kept)


NOTHING: Final = Found((), 0)


def each(kept: Sequence[Difference | Run]) -> tuple[Difference, ...]:
    """Runs taken apart."""
    return tuple([one for some in kept for one in (some.each() if isinstance(some, Run) else (some,))])


def of_notes(kept: list[Note]) -> tuple[Difference | Run, ...]:
    """What a walk noted, with its places written out."""
    found: list[Difference | Run] = []
    above: Trail = None
    path = "$"
    for trail, kind, a, b in kept:
        if kind.__class__ is not str:
            found.append(Run(concrete(_steps(trail)), kind, *map(_excerpts, (a, b))))
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


def _excerpts(numbers: list[float]) -> list[Any]:
    return numbers if hypot(*numbers) < _INFINITY else list(map(excerpt, numbers))


def _steps(trail: Trail) -> Steps:
    steps: list[Step] = []
    while trail is not None:
        trail, step = trail
        steps.append(step)
    return tuple(reversed(steps))


@lru_cache(maxsize=64)  # of short paths only: 64 x 100 x some 250 bytes at most
def _openings(path: str) -> list[bytes]:
    """How the first elements' differences begin."""
    return [_opening(f"{path}[{index}]") for index in range(MAX_KEPT)]


def _opening(path: str) -> bytes:
    try:
        text = orjson.dumps(path)
    except TypeError:  # a lone surrogate in a name
        text = orjson.dumps(path.encode("utf-8", "backslashreplace").decode())
    return b'},{"path":%b,"kind":"value","production":' % text


def _texts(numbers: Sequence[Any]) -> list[bytes]:
    """Each as JSON: of finite numbers, and of the names of what is none, no text has a comma."""
    return orjson.dumps(numbers)[1:-1].split(b",")
