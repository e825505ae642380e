"""What kind of decision an item is, where the protocol does not say: told by its shape.

    {"label": …} and the like                     label: that member
    [{"label": …, "score": …}, …], [["cat", .9]]  probabilities by class
    {"cat": .9, "dog": .1}, two or more in [0, 1] probabilities by class (the best few need not sum to 1)
    [.1, .9] in [0, 1] with the sum 1             probabilities
    objects with boxes                            boxes
    {"generated_text": …}                         text
    a string, a boolean, null, an integer         label
    another number, another array of numbers      number (an array agrees when all of it does)
    anything else                                 opaque

An array around a single value is that value. Where the whole answer is an array that is no such decision, its elements
are the items. The other side of a pair is read as production was: a row that should be
probabilities and does not sum to 1 is a broken row, not another kind of decision.
"""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.compare.decision import BOXES, EMBEDDING, LABEL, NUMBER, OPAQUE, PROBABILITIES, RANKING, SCORE, TEXT
from shadowproxy.compare.detections import boxes
from shadowproxy.compare.distribution import NUMBERS, are_shares, is_distribution
from shadowproxy.compare.generations import plain

_LABELS: Final = ("label", "class", "class_name", "predicted_class", "predicted_label", "prediction", "category")
_SCORES: Final = ("score", "probability", "confidence", "prob")
_TEXTS: Final = ("generated_text", "text")
_SCALARS: Final = frozenset({str, bool, int, float, type(None)})


def kind_of(item: Any) -> tuple[str, Any]:
    """(kind, the item as that kind is read)"""
    while item.__class__ is list and len(item) == 1 and not (_is_scored(item[0]) or _is_pair(item[0]) or boxes(item)):
        item = item[0]
    if item.__class__ is list:
        return _of_array(item)
    if item.__class__ is dict:
        return _of_object(item)
    return (NUMBER if item.__class__ is float else LABEL), item


def items_of(answer: Any) -> list[Any]:
    """The items of a whole answer: an array is a batch unless all of it is one decision."""
    if answer.__class__ is not list or kind_of(answer)[0] in (PROBABILITIES, BOXES):
        return [answer]
    return answer


def read_as(kind: str, item: Any) -> tuple[str, Any]:
    """An item as production's kind where it can be that, else as what it is."""
    own, read = kind_of(item)
    if own == kind:
        return kind, read
    if kind == TEXT and read.__class__ is str:
        return kind, plain(read)
    if kind == BOXES and item == []:
        return kind, item
    return (kind if read.__class__ in _READABLE.get(kind, ()) else own), read


# What an item may be to be read as a kind that its shape alone does not tell.
_READABLE: Final = {
    LABEL: _SCALARS,
    PROBABILITIES: frozenset({list, dict, type(None)}),
    SCORE: frozenset({int, float, type(None)}),
    NUMBER: frozenset({int, float, list, type(None)}),
    RANKING: frozenset({list}),
    EMBEDDING: frozenset({list}),
}


def _of_array(item: list[Any]) -> tuple[str, Any]:
    if not item:
        return OPAQUE, item
    if NUMBERS.issuperset(map(type, item)):
        if is_distribution(item):
            return PROBABILITIES, item
        return (LABEL if float not in map(type, item) else NUMBER), item
    if boxes(item):
        return BOXES, item
    by_class = _by_class(item)
    if by_class is not None:
        return PROBABILITIES, by_class
    if {str, bool}.issuperset(map(type, item)):
        return LABEL, item
    return OPAQUE, item


def _of_object(item: dict[str, Any]) -> tuple[str, Any]:
    for name in _LABELS:
        if name in item and item[name].__class__ in _SCALARS and item[name].__class__ is not float:
            return LABEL, item[name]
    for name in _TEXTS:
        if item.get(name).__class__ is str:
            return TEXT, plain(item[name])
    if len(item) > 1 and are_shares(item):
        return PROBABILITIES, item
    if boxes(item):
        return BOXES, item
    return OPAQUE, item


def _is_scored(element: Any) -> bool:
    return element.__class__ is dict and any(name in element for name in _LABELS) and _score(element) is not None


def _is_pair(element: Any) -> bool:
    return (
        element.__class__ is list
        and len(element) == 2
        and element[0].__class__ is str
        and element[1].__class__ in NUMBERS
    )


def _score(element: dict[str, Any]) -> Any:
    return next((element[name] for name in _SCORES if element.get(name).__class__ in NUMBERS), None)


def _by_class(item: list[Any]) -> dict[str, Any] | None:
    """{class: score} of an array of scored classes; None where it is none or a class stands twice."""
    scored: dict[str, Any] = {}
    for element in item:
        if _is_scored(element):
            name, score = next(element[label] for label in _LABELS if label in element), _score(element)
        elif _is_pair(element):
            name, score = element
        else:
            return None
        if name.__class__ not in (str, int) or str(name) in scored:
            return None
        scored[str(name)] = score
    return scored
