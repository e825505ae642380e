"""How far two decisions lie apart, in numbers: what `comparison.metrics` holds for each kind of prediction.

Of a batch a metric is the mean over the items on which it is defined; `flips_up` and `flips_down` are counts, and
`dimension_mismatch` and `class_flips` sums. What is not finite is left out. docs/pair-log.md names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shadowproxy.compare.decision import (
    BOXES,
    EMBEDDING,
    NUMBER,
    PROBABILITIES,
    RANKING,
    SCORE,
    TEXT,
    Decision,
    Prediction,
    Text,
)
from shadowproxy.compare.distribution import NUMBERS
from shadowproxy.compare.prediction import paired
from shadowproxy.compare.scores import boxes as detections
from shadowproxy.compare.scores import distributions, rankings, texts, vectors

Scores = Mapping[str, float | None]
Measure = Callable[[Prediction, Any, Any], Scores]

_INFINITY: Final = float("inf")
_ALIKE: Final = frozenset({TEXT, EMBEDDING})  # kinds whose agreement is their likeness
_SUMMED: Final = frozenset({"flips_up", "flips_down", "dimension_mismatch", "class_flips"})


def measure(prediction: Prediction, production: Decision, other: Decision) -> dict[str, float]:
    """The metrics of two decisions; empty where they are of different kinds, or of one that has none. Never raises.

    What is judged by `similarity` alone always has one: 0 for an item that the other side has not, or not of its kind.
    Where an answer gives probabilities beside a decision of another kind, they are measured too.
    """
    if other.kind != production.kind:
        return {"similarity": 0.0} if production.kind in _ALIKE else {}
    metrics: dict[str, float] = {}
    if production.beside and len(production.beside) == len(other.beside):
        rows = list(zip(production.beside, other.beside, strict=True))
        metrics = _measured(_probabilities, prediction, rows)
    by_item = MEASURES.get(production.kind)
    if by_item is not None:
        items = list(paired(production.raw, production.keys, other.raw, other.keys))
        metrics.update(_measured(by_item, prediction, items))
        of_both = len(production.raw) + len(other.raw) - len(items)
        if of_both != len(items) and production.kind in _ALIKE:
            metrics["similarity"] = metrics.get("similarity", 0.0) * len(items) / of_both
    return metrics


def _measured(by_item: Measure, prediction: Prediction, each: Sequence[tuple[Any, Any]]) -> dict[str, float]:
    if len(each) == 1:  # most answers hold one decision, and it is its own mean and sum
        return dict(_scored(by_item, prediction, *each[0]))
    sums: dict[str, list[float]] = {}
    for x, y in each:
        for name, value in _scored(by_item, prediction, x, y):
            sums.setdefault(name, []).append(value)
    return {
        name: values[0] if len(values) == 1 else sum(values) if name in _SUMMED else sum(values) / len(values)
        for name, values in sums.items()
    }


def unchanged(prediction: Prediction, decision: Decision) -> dict[str, float]:
    """As `measure`, of a decision with itself."""
    constant = _UNCHANGED.get(decision.kind)
    if constant is not None and not (decision.nonfinite or decision.nulls or decision.beside):
        if decision.kind == PROBABILITIES:
            if decision.items and None not in decision.items:
                return dict(constant)
        elif decision.raw and all(x.__class__ in NUMBERS and -_INFINITY < x < _INFINITY for x in decision.raw):
            return dict(constant)
    return measure(prediction, decision, decision)


def _scored(by_item: Measure, prediction: Prediction, x: Any, y: Any) -> list[tuple[str, float]]:
    try:
        scores = by_item(prediction, x, y)
    except OverflowError:  # an integer beyond a double
        return []
    return [(name, value) for name, value in scores.items() if value is not None and -_INFINITY < value < _INFINITY]


def _probabilities(_: Prediction, x: Any, y: Any) -> Scores:
    if x.__class__ is dict and y.__class__ is dict:
        names = {**x, **y}
        x, y = [x.get(name, 0.0) for name in names], [y.get(name, 0.0) for name in names]
    if not _are_rows(x, y):
        return {}
    total = distributions.total_variation(x, y)
    if not total < _INFINITY:  # of what is no number nothing is said
        return {}
    return {
        "total_variation": total,
        "jensen_shannon": 0.0 if total == 0 else distributions.jensen_shannon(x, y),
        "absolute_difference": 2 * total / len(x),
        "confidence_difference": max(y) - max(x),
    }


def _are_rows(x: Any, y: Any) -> bool:
    return (
        x.__class__ is list
        and y.__class__ is list
        and len(x) == len(y) > 0
        and NUMBERS.issuperset(map(type, x))
        and NUMBERS.issuperset(map(type, y))
    )


def _number(_: Prediction, x: Any, y: Any) -> Scores:
    if x.__class__ is list:
        if not _are_rows(x, y):
            return {}
        gaps = [b - a for a, b in zip(x, y, strict=True)]
        return {"difference": sum(gaps) / len(gaps), "absolute_difference": sum(map(abs, gaps)) / len(gaps)}
    if x.__class__ not in NUMBERS or y.__class__ not in NUMBERS:
        return {}
    gap = y - x
    larger = max(abs(x), abs(y))
    return {
        "difference": gap,
        "absolute_difference": abs(gap),
        "relative_difference": abs(gap) / larger if larger else 0.0,
    }


def _score(prediction: Prediction, x: Any, y: Any) -> Scores:
    if x.__class__ not in NUMBERS or y.__class__ not in NUMBERS or x != x or y != y:
        return {}
    before, after = x >= prediction.threshold, y >= prediction.threshold
    return {
        "difference": y - x,
        "absolute_difference": abs(y - x),
        "flips_up": float(after and not before),
        "flips_down": float(before and not after),
    }


def _ranking(prediction: Prediction, x: Any, y: Any) -> Scores:
    if x.__class__ is not list or y.__class__ is not list:
        return {}
    a, b = _names(x), _names(y)
    return {
        "top1_agreement": float(a[:1] == b[:1]),
        "top_overlap": rankings.overlap(a, b, prediction.top),
        "kendall_tau": rankings.common_tau(a, b),
        "rank_biased_overlap": rankings.rank_biased_overlap(a, b),
    }


def _names(ranked: list[Any]) -> list[Any]:
    """A name for each place; of one that comes twice the first counts."""
    names = [repr(item) if item.__class__ in (dict, list) else item for item in ranked[:_MOST_RANKED]]
    return list(dict.fromkeys(names))


_MOST_RANKED: Final = 1_000


def _embedding(_: Prediction, x: Any, y: Any) -> Scores:
    if x.__class__ is not list or y.__class__ is not list or len(x) != len(y):
        return {"dimension_mismatch": 1.0, "similarity": 0.0}
    if not _are_rows(x, y):
        return {"dimension_mismatch": 0.0, "similarity": float(x == y)}
    cosine = vectors.cosine(x, y)
    similarity = float(not vectors.has_direction(x) and not vectors.has_direction(y)) if cosine is None else cosine
    return {
        "dimension_mismatch": 0.0,
        "cosine": cosine,
        "euclidean_distance": vectors.distance(x, y),
        "similarity": similarity,
    }


def _boxes(_: Prediction, x: list[detections.Box], y: list[detections.Box]) -> Scores:
    matches = detections.matched(x, y)
    both = len(x) + len(y)
    return {
        "matched_share": 2 * len(matches) / both if both else 1.0,
        "iou": sum(match.iou for match in matches) / len(matches) if matches else None,
        "class_flips": float(sum(x[match.production].label != y[match.other].label for match in matches)),
        "count_difference": float(len(y) - len(x)),
    }


def _text(_: Prediction, x: Text, y: Text) -> Scores:
    scores = dict(_SAME_TEXT if x.content == y.content else _unlike(x.content, y.content))
    if x.finish is not None or y.finish is not None:
        scores["finish_reason_agrees"] = float(x.finish == y.finish)
    if x.tools or y.tools:
        called, calls = [name for name, _ in x.tools], [name for name, _ in y.tools]
        scores["tools_agree"] = float(x.tools == y.tools)
        scores["tool_names_agree"] = float(called == calls)
        if not x.content and not y.content:
            scores["similarity"] = scores["tools_agree"]
    return scores


_SAME_TEXT: Final[dict[str, float | None]] = {
    "exact": 1.0,
    "exact_normalised": 1.0,
    "edit_similarity": 1.0,
    "rouge_l": 1.0,
    "chrf": 100.0,
    "length_ratio": 1.0,
    "similarity": 1.0,
}


def _unlike(a: str, b: str) -> dict[str, float | None]:
    words, others = texts.tokens(a), texts.tokens(b)
    chrf = texts.chrf(b, a)
    return {
        "exact": 0.0,
        "exact_normalised": float(texts.normalised(a) == texts.normalised(b)),
        "edit_similarity": texts.edit_similarity(a, b),
        "rouge_l": texts.rouge_l(words, others),
        "chrf": chrf,
        "length_ratio": len(b) / len(a) if a else None,
        "first_divergence": texts.divergence(words, others),
        "similarity": chrf / 100,
    }


MEASURES: Final[Mapping[str, Measure]] = {
    PROBABILITIES: _probabilities,
    NUMBER: _number,
    SCORE: _score,
    RANKING: _ranking,
    EMBEDDING: _embedding,
    BOXES: _boxes,
    TEXT: _text,
}

# What is measured of a decision beside itself, for the cheap kinds
# (test_a_decision_beside_itself_is_measured_the_short_way_as_the_long_way).
_UNCHANGED: Final[Mapping[str, Mapping[str, float]]] = {
    PROBABILITIES: dict.fromkeys(
        ("total_variation", "jensen_shannon", "absolute_difference", "confidence_difference"), 0.0
    ),
    NUMBER: dict.fromkeys(("difference", "absolute_difference", "relative_difference"), 0.0),
    SCORE: dict.fromkeys(("difference", "absolute_difference", "flips_up", "flips_down"), 0.0),
}
