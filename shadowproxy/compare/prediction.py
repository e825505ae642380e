"""What a model decided, and whether two decisions are the same one.

    kind           an item is                      two items agree when
    label          any JSON value                  they are equal (1 and 1.0 are, 1 and true are not)
    probabilities  numbers, or {class: number}     the greatest is the same class
    score          a number                        they lie on the same side of the threshold (0.5 by default)
    number         a number                        they are within the tolerance (that of `compare` by default)
    ranking        an array                        their first `top` are equal (all by default)
    text embedding boxes                           not decided here: similarity is a matter of its own
    opaque                                         the whole comparison says "same"

The items of a batch are paired by position, or by key; an item without a counterpart disagrees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from shadowproxy.compare import tensors
from shadowproxy.compare.diff import same
from shadowproxy.compare.excerpt import json_text
from shadowproxy.compare.jsonpath import Path, Step
from shadowproxy.compare.tolerance import EXACT, Tolerance

MAX_TEXT: Final = 1000
# Rows of probabilities may miss a sum of 1 by the rounding of half-precision numbers over a thousand classes.
_SUM_SLACK: Final = 0.01
_SLACK: Final = 1e-6
_INFINITY: Final = float("inf")
_NUMBERS: Final = frozenset({int, float})


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A route's `prediction`, or a preset's, compiled."""

    kind: str = "opaque"
    at: Path | None = None
    key: Path | str | None = None  # a path from the body's root, or a member of the item (or of the object around it)
    threshold: float = 0.5
    tolerance: Tolerance = EXACT
    top: int | None = None
    reader: str = "path"


class Decision(msgspec.Struct, frozen=True):
    """What one answer decided. `items` are ready to be compared: an argmax, the first few of a ranking."""

    kind: str = "opaque"
    items: tuple[Any, ...] = ()
    keys: tuple[Any, ...] | None = None
    nonfinite: int = 0  # rows of probabilities that are none
    nulls: int = 0  # null where a number belongs
    found: bool = True  # False: the answer has nothing where the prediction should be

    @property
    def text(self) -> str | None:
        """The decision as short JSON text: the item itself when there is one, else all of them."""
        if not self.items:
            return None
        return json_text(self.items[0] if len(self.items) == 1 else list(self.items), MAX_TEXT)


class Agreement(msgspec.Struct, frozen=True):
    agrees: bool | None
    items: int = 0
    disagreeing: int = 0


UNKNOWN: Final = Decision()
_NOT_FOUND: Final = Decision(found=False)
_UNDECIDED = Agreement(None)


def decide(prediction: Prediction, value: Any) -> Decision:
    """What an answer's lifted value decided. Never raises."""
    return READERS[prediction.reader](prediction, value)


def agreement(prediction: Prediction, production: Decision, other: Decision, are_same: bool) -> Agreement:
    """Whether two answers decided the same; `are_same` is the comparison's result, for where no decision is known."""
    kind = production.kind
    if kind in _JUDGED_BY_SIMILARITY:
        return _UNDECIDED
    if kind not in _AGREE or other.kind != kind:
        return Agreement(are_same, 1, 0 if are_same else 1)
    items, agreeing = _paired(_AGREE[kind], prediction, production, other)
    return Agreement(agreeing == items, items, items - agreeing)


def _paired(
    agree: Callable[[Prediction, Any, Any], bool], prediction: Prediction, a: Decision, b: Decision
) -> tuple[int, int]:
    """(items, items that agree)."""
    if a.keys is None or b.keys is None:
        agreeing = sum(agree(prediction, x, y) for x, y in zip(a.items, b.items, strict=False))
        return max(len(a.items), len(b.items)), agreeing
    left, right = dict(zip(a.keys, a.items, strict=True)), dict(zip(b.keys, b.items, strict=True))
    agreeing = sum(agree(prediction, item, right[key]) for key, item in left.items() if key in right)
    return len(left.keys() | right.keys()), agreeing


def _read_path(prediction: Prediction, value: Any) -> Decision:
    if prediction.at is None:
        return UNKNOWN
    located = prediction.at.locate(value)
    if not located:
        return _NOT_FOUND
    raw = [item for _, item in located]
    keys = None
    if prediction.key is not None:
        keys = _keys(prediction.key, [steps for steps, _ in located], value)
    return _decision(prediction, prediction.kind, raw, keys)


def _read_tensors(prediction: Prediction, value: Any) -> Decision:
    reading = tensors.read(value)
    decision = _decision(prediction, reading.kind, reading.items, None)
    faults = sum(map(_is_no_distribution, reading.distributions))
    return msgspec.structs.replace(decision, nonfinite=faults, nulls=reading.nulls)


READERS: Final = {"path": _read_path, "tensors": _read_tensors}


def _decision(prediction: Prediction, kind: str, raw: list[Any], keys: tuple[Any, ...] | None) -> Decision:
    nonfinite = sum(map(_is_no_distribution, raw)) if kind == "probabilities" else 0
    nulls = raw.count(None) if kind in _NUMERIC else 0
    reduce = _REDUCE.get(kind)
    items = tuple(reduce(prediction, item) for item in raw) if reduce else tuple(raw)
    return Decision(kind, items, keys, nonfinite, nulls)


def _keys(key: Path | str, places: list[tuple[Step, ...]], value: Any) -> tuple[Any, ...] | None:
    """One key for each item, or None where that does not come out: then items are paired by position."""
    names = tuple(key.values(value) if isinstance(key, Path) else (_nearest(key, steps, value) for steps in places))
    usable = len(names) == len(places) and all(name.__class__ in (str, int) for name in names)
    return names if usable and len(set(names)) == len(names) else None


def _nearest(name: str, steps: tuple[Step, ...], value: Any) -> Any:
    """The member `name` of the innermost object on the way to the item that has it."""
    nearest = None
    for step in (*steps, None):
        if isinstance(value, dict) and name in value:
            nearest = value[name]
        if step is not None:
            value = value[step]
    return nearest


def _greatest(_: Prediction, row: Any) -> Any:
    """The class of the greatest probability: its position, or its name; None where a number is missing."""
    classes = range(len(row)) if isinstance(row, list) else row.keys() if isinstance(row, dict) else ()
    numbers = row.values() if isinstance(row, dict) else row
    if not classes or not _NUMBERS.issuperset(map(type, numbers)) or any(n != n for n in numbers):
        return None
    return max(classes, key=row.__getitem__)


def _first(prediction: Prediction, ranked: Any) -> Any:
    return ranked[: prediction.top] if isinstance(ranked, list) else ranked


def _is_number(value: Any) -> bool:
    return value.__class__ in _NUMBERS


def _is_no_distribution(row: Any) -> bool:
    """Numbers off [0, 1], or not summing to 1; what is not finite or no number is counted elsewhere."""
    numbers = row if isinstance(row, list) else list(row.values()) if isinstance(row, dict) else []
    if not numbers or not _NUMBERS.issuperset(map(type, numbers)):
        return False
    # Compared, not asked: math.isfinite cannot take an integer beyond a double.
    if not all(-_INFINITY < number < _INFINITY for number in numbers):
        return False
    return min(numbers) < -_SLACK or max(numbers) > 1 + _SLACK or abs(sum(numbers) - 1) > _SUM_SLACK


def _same_label(_: Prediction, a: Any, b: Any) -> bool:
    return same(a, b, EXACT)


def _same_side(prediction: Prediction, a: Any, b: Any) -> bool:
    if not (_is_number(a) and _is_number(b)) or a != a or b != b:
        return same(a, b, EXACT)  # NaN, null or text is on no side, and agrees with its like only
    return (a >= prediction.threshold) is (b >= prediction.threshold)


def _same_number(prediction: Prediction, a: Any, b: Any) -> bool:
    return same(a, b, prediction.tolerance)


_AGREE: Final = {
    "label": _same_label,
    "probabilities": _same_label,
    "score": _same_side,
    "number": _same_number,
    "ranking": _same_label,
}
_REDUCE: Final = {"probabilities": _greatest, "ranking": _first}
_JUDGED_BY_SIMILARITY: Final = frozenset({"text", "embedding", "boxes"})
_NUMERIC: Final = frozenset({"score", "number", "probabilities"})
KINDS: Final = (*_AGREE, *sorted(_JUDGED_BY_SIMILARITY), "opaque")
