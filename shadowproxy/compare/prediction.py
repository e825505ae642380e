"""Whether two decisions are the same one.

    kind           an item is                      two items agree when
    label          any JSON value                  they are equal (1 and 1.0 are, 1 and true are not)
    probabilities  numbers, or {class: number}     the greatest is the same class
    score          a number                        they lie on the same side of the threshold (0.5 by default)
    number         a number, or an array of them   they are within the tolerance (that of `compare` by default)
    ranking        an array                        their first `top` are equal (all by default)
    boxes          the boxes of one picture        each has its match at IoU >= 0.5, of the same class
    text embedding                                 not decided here: similarity is a matter of its own (`measures`)
    opaque                                         the whole comparison says "same"

The items of a batch are paired by position, or by key; an item without a counterpart disagrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from shadowproxy.compare.decision import (
    BOXES,
    EMBEDDING,
    LABEL,
    NUMBER,
    PROBABILITIES,
    RANKING,
    SCORE,
    TEXT,
    Decision,
    Prediction,
)
from shadowproxy.compare.diff import same
from shadowproxy.compare.distribution import NUMBERS
from shadowproxy.compare.scores import boxes
from shadowproxy.compare.tolerance import EXACT, wider


class Agreement(msgspec.Struct, frozen=True):
    agrees: bool | None
    items: int = 0
    disagreeing: int = 0


_UNDECIDED = Agreement(None)


def agreement(prediction: Prediction, production: Decision, other: Decision, are_same: bool) -> Agreement:
    """Whether two answers decided the same; `are_same` is the comparison's result, for where no decision is known."""
    kind = production.kind
    if kind in _JUDGED_BY_SIMILARITY:
        return _UNDECIDED
    if kind not in _AGREE or other.kind != kind:
        return Agreement(are_same, 1, 0 if are_same else 1)
    agree = _AGREE[kind]
    if production.tolerance is not EXACT:
        tolerance = wider(prediction.tolerance, production.tolerance)
        prediction = msgspec.structs.replace(prediction, tolerance=tolerance)
    a, b = (production.raw, other.raw) if kind == BOXES else (production.items, other.items)
    agreeing = sum(agree(prediction, x, y) for x, y in paired(a, production.keys, b, other.keys))
    if production.keys is None or other.keys is None:
        items = max(len(a), len(b))
    else:
        items = len({*production.keys, *other.keys})
    return Agreement(agreeing == items, items, items - agreeing)


def unanimity(decision: Decision) -> Agreement:
    """As `agreement`, of a decision with itself."""
    kind = decision.kind
    if kind in _JUDGED_BY_SIMILARITY:
        return _UNDECIDED
    return Agreement(True, len(decision.items) if kind in _AGREE else 1)


def paired(
    a: tuple[Any, ...], a_keys: tuple[Any, ...] | None, b: tuple[Any, ...], b_keys: tuple[Any, ...] | None
) -> Iterator[tuple[Any, Any]]:
    """The items that belong together, by key where both sides have keys, else by position."""
    if a_keys is None or b_keys is None:
        return zip(a, b, strict=False)
    others = dict(zip(b_keys, b, strict=True))
    return ((item, others[key]) for key, item in zip(a_keys, a, strict=True) if key in others)


def _same_label(_: Prediction, a: Any, b: Any) -> bool:
    if a.__class__ is b.__class__ and a.__class__ in _PLAIN:
        return bool(a == b)
    return same(a, b, EXACT)


def _same_side(prediction: Prediction, a: Any, b: Any) -> bool:
    if not (a.__class__ in NUMBERS and b.__class__ in NUMBERS) or a != a or b != b:
        return same(a, b, EXACT)  # NaN, null or text is on no side, and agrees with its like only
    return bool((a >= prediction.threshold) is (b >= prediction.threshold))


def _same_number(prediction: Prediction, a: Any, b: Any) -> bool:
    return same(a, b, prediction.tolerance)


def _same_boxes(_: Prediction, a: Any, b: Any) -> bool:
    return boxes.are_same(a, b)


_AGREE: Final[dict[str, Callable[[Prediction, Any, Any], bool]]] = {
    LABEL: _same_label,
    PROBABILITIES: _same_label,
    SCORE: _same_side,
    NUMBER: _same_number,
    RANKING: _same_label,
    BOXES: _same_boxes,
}
_PLAIN: Final = frozenset({str, int, bool})
_JUDGED_BY_SIMILARITY: Final = frozenset({TEXT, EMBEDDING})
