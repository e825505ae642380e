"""From an answer's lifted value to its decision: one reader for each way in which protocols say what was decided.

path      items are what the prediction's paths match, of the kind that is configured
guess     likewise; the kind is told by an item's shape (`guess`)
tensors   outputs of the Open Inference Protocol (`tensors`)
ranked    an array of {index, score}, as rerankers answer
messages  OpenAI's `choices`; `response` is its Responses API; `blocks` is Anthropic's
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from shadowproxy.compare import generations, guess, tensors
from shadowproxy.compare.decision import (
    BOXES,
    EMBEDDING,
    NOT_FOUND,
    NUMBER,
    OPAQUE,
    PROBABILITIES,
    RANKING,
    SCORE,
    TEXT,
    UNKNOWN,
    Decision,
    Prediction,
    Text,
)
from shadowproxy.compare.detections import boxes
from shadowproxy.compare.distribution import NUMBERS, are_shares, greatest, is_no_distribution, weighed
from shadowproxy.compare.jsonpath import Path, Step
from shadowproxy.compare.tolerance import EXACT

_NUMERIC: Final = frozenset({SCORE, NUMBER, PROBABILITIES, EMBEDDING})
_OF_MANY: Final = frozenset({PROBABILITIES, RANKING, EMBEDDING})  # an item is made of several values
_SCORES: Final = ("relevance_score", "score")

# An answer's value, and the kind that production's answer was read as ("" where there is none) → its decision.
Reader = Callable[[Prediction, Any, str], Decision]
Located = list[tuple[tuple[Step, ...], Any]]


def decide(prediction: Prediction, value: Any, like: str = "") -> Decision:
    """What an answer's lifted value decided. Never raises."""
    return READERS[prediction.reader](prediction, value, like)


def _read_path(prediction: Prediction, value: Any, like: str) -> Decision:
    if not prediction.at:
        return UNKNOWN
    found = _found(prediction, value)
    if found is None:
        return NOT_FOUND
    kind = prediction.kind
    raw, keys = found
    if kind in _OF_MANY and not {dict, list}.intersection(map(type, raw)):
        return _decision(prediction, kind, [raw], None)  # the path goes on into the one item
    if kind == TEXT:
        return _decision(prediction, kind, [generations.plain(item) for item in raw], keys)
    if kind == BOXES:
        return _boxes(prediction, raw, keys)
    return _decision(prediction, kind, raw, keys)


def _read_guess(prediction: Prediction, value: Any, like: str) -> Decision:
    found = _found(prediction, value)
    if found is None:
        return NOT_FOUND
    raw, keys = found
    if raw[0].__class__ is dict and {"shape", "values"} <= raw[0].keys():  # Seldon's tensor
        raw, keys = tensors.rows(raw[0]["values"], raw[0]["shape"]), None
    elif raw[0] is value:  # the root
        raw, keys = guess.items_of(value), None
    kind = prediction.kind
    if kind == OPAQUE:
        kind = like if like and like != OPAQUE else guess.kind_of(raw[0])[0] if raw else OPAQUE
    read = [guess.read_as(kind, item) for item in raw]
    if kind == OPAQUE or any(own != kind for own, _ in read):
        return UNKNOWN
    items = [item for _, item in read]
    if kind == BOXES:
        return _boxes(prediction, items, keys)
    decision = _decision(prediction, kind, items, keys)
    if kind == PROBABILITIES:
        # The best few of many classes come as an object, and need not sum to 1.
        faults = sum(not are_shares(row) if row.__class__ is dict else is_no_distribution(row) for row in items)
        decision = msgspec.structs.replace(decision, nonfinite=faults)
    return decision


def _read_tensors(prediction: Prediction, value: Any, like: str) -> Decision:
    reading = tensors.read(value)
    if reading is tensors.NOTHING and like not in ("", OPAQUE):
        return NOT_FOUND
    kind = reading.kind if OPAQUE in (prediction.kind, reading.kind) else prediction.kind
    items = tuple(reading.items)
    if kind == PROBABILITIES and reading.distributions == reading.items:
        decided, faults = _weighed(items)
    else:
        decided, faults = _reduced(prediction, kind, items), sum(map(is_no_distribution, reading.distributions))
    return Decision(
        kind,
        decided,
        None,
        faults,
        reading.nulls,
        True,
        items,
        prediction.datatypes.get(reading.datatype, EXACT),
        () if kind == PROBABILITIES else tuple(reading.distributions),
    )


def _read_ranked(prediction: Prediction, value: Any, like: str) -> Decision:
    """Indexes by falling score; results of equal score stay in the order in which they came."""
    found = _found(prediction, value)
    if found is None or not isinstance(results := found[0][0], list):
        return NOT_FOUND
    scored = [(_score(result), result.get("index")) for result in results if isinstance(result, dict)]
    if len(scored) != len(results) or any(index.__class__ is not int for _, index in scored):
        return NOT_FOUND
    nulls = sum(score is None for score, _ in scored)
    if not nulls:
        scored.sort(key=lambda entry: entry[0] or 0.0, reverse=True)
    decision = _decision(prediction, RANKING, [[index for _, index in scored]], None)
    return msgspec.structs.replace(decision, nulls=nulls)


def _read_messages(prediction: Prediction, value: Any, like: str) -> Decision:
    found = _found(prediction, value)
    if found is None:
        return NOT_FOUND
    return _texts(prediction, [generations.choice(item) for item in found[0]], found[1])


def _read_response(prediction: Prediction, value: Any, like: str) -> Decision:
    return _texts(prediction, [generations.response(value)], None)


def _read_blocks(prediction: Prediction, value: Any, like: str) -> Decision:
    return _texts(prediction, [generations.message(value)], None)


READERS: Final[dict[str, Reader]] = {
    "path": _read_path,
    "guess": _read_guess,
    "tensors": _read_tensors,
    "ranked": _read_ranked,
    "messages": _read_messages,
    "response": _read_response,
    "blocks": _read_blocks,
}


def _texts(prediction: Prediction, texts: list[Text | None], keys: tuple[Any, ...] | None) -> Decision:
    if not texts or None in texts:
        return NOT_FOUND
    return _decision(prediction, TEXT, texts, keys)


def _boxes(prediction: Prediction, raw: list[Any], keys: tuple[Any, ...] | None) -> Decision:
    """Each item is the boxes of one picture; where each is a box by itself, all of them are one picture's."""
    if all(isinstance(item, dict) for item in raw):
        raw, keys = [raw], None
    found = [boxes(item) for item in raw]
    if None in found:
        return NOT_FOUND
    decision = _decision(prediction, BOXES, raw, keys)
    return msgspec.structs.replace(decision, raw=tuple(found))


def _decision(prediction: Prediction, kind: str, raw: list[Any], keys: tuple[Any, ...] | None) -> Decision:
    nonfinite = sum(map(is_no_distribution, raw)) if kind == PROBABILITIES else 0
    nulls = 0
    if kind in _NUMERIC:
        nulls = raw.count(None) + sum(item.count(None) for item in raw if item.__class__ is list)
    kept = tuple(raw)
    return Decision(kind, _reduced(prediction, kind, kept), keys, nonfinite, nulls, True, kept)


def _reduced(prediction: Prediction, kind: str, raw: tuple[Any, ...]) -> tuple[Any, ...]:
    if kind == PROBABILITIES:
        return tuple(map(greatest, raw))
    if kind == RANKING:
        return tuple(item[: prediction.top] if isinstance(item, list) else item for item in raw)
    return raw


def _weighed(rows: tuple[Any, ...]) -> tuple[tuple[Any, ...], int]:
    """(the greatest of each row, how many rows are no distributions)"""
    if len(rows) == 1:
        greatest_, is_fault = weighed(rows[0])
        return (greatest_,), int(is_fault)
    pairs = [weighed(row) for row in rows]
    return tuple([top for top, _ in pairs]), sum([is_fault for _, is_fault in pairs])


def _found(prediction: Prediction, value: Any) -> tuple[list[Any], tuple[Any, ...] | None] | None:
    """(the items at the first path that matches, their keys)"""
    for path in prediction.at:
        if prediction.key is None:
            if items := path.values(value):
                return items, None
        elif located := path.locate(value):
            return [item for _, item in located], _keys(prediction.key, located, value)
    return None


def _keys(key: Path | str, located: Located, value: Any) -> tuple[Any, ...] | None:
    """One key for each item, or None where that does not come out: then items are paired by position."""
    names = tuple(key.values(value) if isinstance(key, Path) else (_nearest(key, steps, value) for steps, _ in located))
    usable = len(names) == len(located) and all(name.__class__ in (str, int) for name in names)
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


def _score(result: dict[str, Any]) -> float | None:
    """The score by which a result stands in its place; None where there is none or it is not a number."""
    for name in _SCORES:
        score: Any = result.get(name)
        if score.__class__ in NUMBERS and score == score:
            return score  # type: ignore[no-any-return]
    return None
