"""Which elements of two arrays belong together, where it is not their places that say so."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final


def by_key(array: list[Any], key: str) -> dict[str | int, tuple[int, Any]] | None:
    """Objects, each with its index, by their member `key`; None where one has none, or two have the same."""
    if not _OBJECTS.issuperset(map(type, array)):
        return None
    names = [element.get(key) for element in array]
    if not _NAMES.issuperset(map(type, names)):
        return None
    found = dict(zip(names, enumerate(array), strict=True))
    return found if len(found) == len(names) else None


_OBJECTS: Final = frozenset({dict})
_NAMES: Final = frozenset({str, int})


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def are_permuted(a: list[Any], b: list[Any]) -> bool:
    kind = a[0].__class__
    if kind not in (str, dict) or any(element.__class__ is not kind for array in (a, b) for element in array):
        return False
    # The first element that moved must be somewhere on the other side: mostly it is not, and that is cheap to see.
    moved = next((x for x, y in zip(a, b, strict=True) if x != y), None)
    if moved is None or moved not in b:
        return False
    if kind is str:
        return Counter(a) == Counter(b)
    return Counter(map(_canonical, a)) == Counter(map(_canonical, b))


def cancelled(a: list[Any], b: list[Any]) -> tuple[list[int], list[int]]:
    """The indexes on each side that are left when literally equal elements are taken away in pairs."""
    there: dict[str, list[int]] = {}
    for index in reversed(range(len(b))):
        there.setdefault(_canonical(b[index]), []).append(index)
    rest = []
    for index, element in enumerate(a):
        if waiting := there.get(_canonical(element)):
            waiting.pop()
        else:
            rest.append(index)
    return rest, sorted(index for indexes in there.values() for index in indexes)
