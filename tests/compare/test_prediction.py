"""What an answer decided, and whether two answers decided the same."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shadowproxy.compare import Comparison
from shadowproxy.compare.lift import write_json
from shadowproxy.settings.snapshot import Prediction
from tests.compare.exchanges import compared, rules

nan = math.nan


def decided(prediction: Prediction, production: Any, other: Any, **compare: Any) -> Comparison:
    return compared(write_json(production), write_json(other), rules(prediction, **compare))


AGREEMENT = [
    # kind, settings, production's item, the other's, agree
    ("label", {}, "cat", "cat", True),
    ("label", {}, "cat", "dog", False),
    ("label", {}, 1, 1.0, True),
    ("label", {}, 1, True, False),
    ("label", {}, 1, "1", False),
    ("label", {}, None, None, True),
    ("label", {}, 10**12, 10**12 + 1, False),  # no tolerance on a label
    ("label", {}, ["a", "b"], ["b", "a"], False),
    ("label", {}, nan, nan, True),
    ("score", {}, 0.51, 0.99, True),  # the same side of 0.5
    ("score", {}, 0.49, 0.51, False),
    ("score", {}, 0.5, 0.49, False),  # the threshold itself is on the upper side
    ("score", {"threshold": 0.9}, 0.49, 0.51, True),
    ("score", {}, nan, 0.1, False),  # NaN is on no side
    ("score", {}, nan, nan, True),
    ("score", {}, None, 0.1, False),
    ("score", {}, "0.9", 0.9, False),
    ("number", {}, 1.0, 1.0 + 1e-12, True),  # within compare's tolerance
    ("number", {}, 1.0, 1.1, False),
    ("number", {"tolerance": 0.2}, 1.0, 1.1, True),
    ("number", {"tolerance": 5}, 100, 105, True),
    ("number", {"tolerance": 5}, nan, 1.0, False),
    ("number", {"tolerance": 5}, None, 1.0, False),
    ("probabilities", {}, [0.1, 0.9], [0.4, 0.6], True),
    ("probabilities", {}, [0.1, 0.9], [0.6, 0.4], False),
    ("probabilities", {}, {"cat": 0.9, "dog": 0.1}, {"dog": 0.2, "cat": 0.8}, True),
    ("probabilities", {}, {"cat": 0.9, "dog": 0.1}, {"dog": 0.9, "cat": 0.1}, False),
    ("probabilities", {}, [0.5, 0.5], [0.5, 0.5], True),  # the first of equals
    ("probabilities", {}, [nan, 0.5], [0.1, 0.9], False),
    ("ranking", {"top": 2}, ["a", "b", "c"], ["a", "b", "d"], True),
    ("ranking", {"top": 2}, ["a", "b"], ["b", "a"], False),
    ("ranking", {}, ["a", "b", "c"], ["a", "b", "d"], False),
    ("text", {}, "a", "a", None),
    ("text", {}, "a", "b", None),
    ("embedding", {}, [0.1], [0.2], None),
    ("opaque", {}, "a", "a", True),
    ("opaque", {}, "a", "b", False),
]


@pytest.mark.parametrize(("kind", "settings", "production", "other", "agrees"), AGREEMENT)
def test_decisions_agree_by_their_kind(
    kind: str, settings: dict[str, Any], production: Any, other: Any, agrees: bool | None
) -> None:
    prediction = Prediction(at="$.predictions[*]", kind=kind, **settings)
    comparison = decided(prediction, {"predictions": [production]}, {"predictions": [other]})
    assert comparison.agrees is agrees
    assert (comparison.items, comparison.items_disagreeing) == ((0, 0) if agrees is None else (1, int(not agrees)))


def test_a_decision_can_agree_while_the_answers_differ() -> None:
    comparison = decided(Prediction(at="$.label", kind="label"), {"label": "cat", "p": 0.9}, {"label": "cat", "p": 0.8})
    assert (comparison.result, comparison.agrees) == ("different", True)
    assert (comparison.production_prediction, comparison.shadow_prediction) == ('"cat"', '"cat"')


def test_a_decision_can_differ_where_nothing_compared_does() -> None:
    comparison = decided(
        Prediction(at="$.label", kind="label"), {"label": "cat"}, {"label": "dog"}, ignore=("$.label",)
    )
    assert (comparison.result, comparison.agrees) == ("same", False)


BATCHES = [
    # production, other, key, items, disagreeing
    ([1, 2, 3], [1, 2, 3], None, 3, 0),
    ([1, 2, 3], [1, 9, 9], None, 3, 2),
    ([1, 2, 3], [1, 2], None, 3, 1),  # an item without a counterpart disagrees
    ([1], [1, 2, 3], None, 3, 2),
    ([{"id": "x", "v": 1}, {"id": "y", "v": 2}], [{"id": "y", "v": 2}, {"id": "x", "v": 1}], "id", 2, 0),
    ([{"id": "x", "v": 1}, {"id": "y", "v": 2}], [{"id": "y", "v": 1}, {"id": "z", "v": 1}], "id", 3, 3),
    ([{"id": "x", "v": 1}, {"id": "x", "v": 2}], [{"id": "x", "v": 1}, {"id": "x", "v": 2}], "id", 2, 0),  # repeated
    ([1, 2], [1, 2], "id", 2, 0),  # no such member: by position
]


@pytest.mark.parametrize(("production", "other", "key", "items", "disagreeing"), BATCHES)
def test_the_items_of_a_batch_are_paired_by_position_or_by_key(
    production: list[Any], other: list[Any], key: str | None, items: int, disagreeing: int
) -> None:
    prediction = Prediction(at="$.predictions[*]", kind="label", key=key)
    comparison = decided(prediction, {"predictions": production}, {"predictions": other})
    assert (comparison.items, comparison.items_disagreeing, comparison.agrees) == (items, disagreeing, not disagreeing)


@pytest.mark.parametrize("key", ["id", "$.rows[*].id"])
def test_a_key_is_a_member_beside_the_item_or_a_path(key: str) -> None:
    prediction = Prediction(at="$.rows[*].label", kind="label", key=key)
    a = {"rows": [{"id": 1, "label": "a"}, {"id": 2, "label": "b"}]}
    b = {"rows": [{"id": 2, "label": "b"}, {"id": 1, "label": "c"}]}
    comparison = decided(prediction, a, b)
    assert (comparison.items, comparison.items_disagreeing) == (2, 1)


def test_a_batch_is_shown_as_an_array_and_one_item_as_itself() -> None:
    prediction = Prediction(at="$[*]", kind="label")
    assert decided(prediction, [3], [4]).production_prediction == "3"
    assert decided(prediction, [3, 4], [4, 4]).production_prediction == "[3,4]"
    long = decided(prediction, ["x" * 100] * 50, [1]).production_prediction
    assert long is not None
    assert len(long) == 1000


def test_probabilities_are_shown_by_their_class() -> None:
    comparison = decided(Prediction(at="$.p", kind="probabilities"), {"p": [0.2, 0.8]}, {"p": [0.9, 0.1]})
    assert (comparison.production_prediction, comparison.shadow_prediction) == ("1", "0")


NONFINITE = [
    # kind, items of the other side, count
    ("score", [0.5, None], 1),
    ("score", [nan, None], 2),
    ("label", [None], 0),  # a label may be null
    ("probabilities", [[0.5, 0.5]], 0),
    ("probabilities", [[0.5, 0.5], [0.9, 0.9]], 1),  # sums to 1.8
    ("probabilities", [[1.5, -0.5]], 1),
    ("probabilities", [{"a": 0.2, "b": 0.2}], 1),
    ("probabilities", [[nan, 0.5]], 1),  # once, as NaN
    ("probabilities", [[0.333, 0.333, 0.333]], 0),  # 0.999: rounding
    ("probabilities", [[10**400, 0.5]], 1),
]


@pytest.mark.parametrize(("kind", "items", "count"), NONFINITE)
def test_what_is_no_number_or_no_distribution_is_counted(kind: str, items: list[Any], count: int) -> None:
    prediction = Prediction(at="$[*]", kind=kind)
    assert decided(prediction, [], items).metrics.get("nonfinite_shadow") == count


def test_without_a_path_the_whole_body_is_the_decision() -> None:
    by = rules(Prediction(kind="label"))
    comparison = compared(b"cat", b"dog", by, type_="text/plain")
    assert (comparison.agrees, comparison.production_prediction) == (False, '"cat"')


def test_without_a_prediction_the_whole_answer_decides() -> None:
    comparison = compared(b'{"a": 1}', b'{"a": 2}')
    assert (comparison.agrees, comparison.items, comparison.items_disagreeing) == (False, 1, 1)
    assert comparison.production_prediction is None
