"""How far two decisions lie apart, for every kind of prediction."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shadowproxy.compare import assess, compare
from shadowproxy.compare.lift import write_json
from shadowproxy.settings.snapshot import Prediction
from tests.compare.exchanges import ANY, INFER, answer, compared, rules
from tests.compare.samples import tensors

nan = math.nan


def metrics(kind: str, production: Any, other: Any, **settings: Any) -> dict[str, float]:
    by = rules(Prediction(at="$.p[*]", kind=kind, **settings))
    found = compared(write_json({"p": production}), write_json({"p": other}), by).metrics
    return {name: round(value, 6) for name, value in found.items() if not name.startswith("nonfinite")}


MEASURED = [
    # kind, settings, production's items, the other's, metrics
    ("label", {}, ["a"], ["b"], {}),
    ("probabilities", {}, [[0.5, 0.3, 0.2]], [[0.4, 0.4, 0.2]],
     {"total_variation": 0.1, "jensen_shannon": 0.006367, "absolute_difference": 0.066667,
      "confidence_difference": -0.1}),
    ("probabilities", {}, [{"a": 0.9, "b": 0.1}], [{"a": 0.9, "c": 0.1}],  # what a side does not name has none
     {"total_variation": 0.1, "jensen_shannon": 0.069315, "absolute_difference": 0.066667,
      "confidence_difference": 0.0}),
    ("probabilities", {}, [[0.5, 0.5]], [[0.5, 0.25, 0.25]], {}),  # other classes
    ("probabilities", {}, [[0.5, nan]], [[0.5, 0.5]], {}),
    ("score", {}, [0.4, 0.6], [0.6, 0.4],
     {"difference": 0.0, "absolute_difference": 0.2, "flips_up": 1, "flips_down": 1}),
    ("score", {"threshold": 0.7}, [0.4, 0.6], [0.6, 0.9],
     {"difference": 0.25, "absolute_difference": 0.25, "flips_up": 1, "flips_down": 0}),
    ("score", {}, [nan, 0.5], [0.5, 0.5],
     {"difference": 0, "absolute_difference": 0, "flips_up": 0, "flips_down": 0}),  # over the items that have it
    ("number", {}, [10], [12], {"difference": 2, "absolute_difference": 2, "relative_difference": 0.166667}),
    ("number", {}, [[1.0, 2.0]], [[2.0, 0.0]], {"difference": -0.5, "absolute_difference": 1.5}),
    ("number", {}, [10**400], [1.5], {}),
    ("ranking", {}, [["a", "b", "c"]], [["b", "a", "c"]],
     {"top1_agreement": 0, "top_overlap": 1, "kendall_tau": 0.333333, "rank_biased_overlap": 0.9}),
    ("ranking", {"top": 1}, ["a", "b"], ["b", "a"],  # a path that goes on into the one ranking
     {"top1_agreement": 0, "top_overlap": 0, "kendall_tau": -1, "rank_biased_overlap": 0.9}),
    ("embedding", {}, [[1.0, 0.0]], [[0.0, 1.0]],
     {"dimension_mismatch": 0, "cosine": 0, "similarity": 0, "euclidean_distance": 1.414214}),
    ("embedding", {}, [[1.0, 0.0]], [[1.0]], {"dimension_mismatch": 1, "similarity": 0}),
    # What has no direction is as little like what has one as can be.
    ("embedding", {}, [[1.0, 0.0]], [[0.0, 0.0]], {"dimension_mismatch": 0, "similarity": 0, "euclidean_distance": 1}),
    ("embedding", {}, [[1.0, 0.0]], [[nan, 0.0]], {"dimension_mismatch": 0, "similarity": 0}),
    ("embedding", {}, [[0.0, 0.0]], [[0.0, 0.0]], {"dimension_mismatch": 0, "similarity": 1, "euclidean_distance": 0}),
    ("embedding", {}, [[1.0, 0.0]], [None], {"dimension_mismatch": 1, "similarity": 0}),
    ("embedding", {}, [[1.0, 0.0]], [["a", "b"]], {"dimension_mismatch": 0, "similarity": 0}),
    # Nor is an item that the other side has not like anything.
    ("embedding", {}, [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]],
     {"dimension_mismatch": 0, "cosine": 1, "similarity": 0.5, "euclidean_distance": 0}),
    ("text", {}, ["a", "b"], ["a", "b", "c", "d"],
     {"exact": 1, "exact_normalised": 1, "edit_similarity": 1, "rouge_l": 1, "chrf": 100, "length_ratio": 1,
      "similarity": 0.5}),
    ("boxes", {}, [[{"box": [0, 0, 2, 2], "label": "a"}]], [[{"box": [0, 0, 2, 2], "label": "b"}]],
     {"matched_share": 1, "iou": 1, "class_flips": 1, "count_difference": 0}),
    ("boxes", {}, [{"box": [0, 0, 2, 2], "label": "a"}], [],  # single boxes are one picture's
     {}),  # nothing at the path: bad
    ("text", {}, ["the cat sat"], ["the cat sat"],
     {"exact": 1, "exact_normalised": 1, "edit_similarity": 1, "rouge_l": 1, "chrf": 100, "length_ratio": 1,
      "similarity": 1}),
    ("text", {}, ["kitten"], ["sitting"],
     {"exact": 0, "exact_normalised": 0, "edit_similarity": 0.571429, "rouge_l": 0, "chrf": 21.133712,
      "length_ratio": 1.166667, "first_divergence": 0, "similarity": 0.211337}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "production", "other", "expected"), MEASURED)
def test_how_far_two_decisions_lie_apart(
    kind: str, settings: dict[str, Any], production: Any, other: Any, expected: dict[str, float]
) -> None:
    assert metrics(kind, production, other, **settings) == pytest.approx(expected, abs=1e-6)


DECISIONS = [
    ("probabilities", [[0.5, 0.5], [0.1, 0.9]]),
    ("probabilities", [{"a": 1.0}]),
    ("probabilities", [[nan, 0.5]]),
    ("probabilities", ["x"]),
    ("number", [1, 2.5]),
    ("number", [0]),
    ("number", ["x", None]),
    ("number", [math.inf]),
    ("number", [[1.0, 2.0]]),
    ("score", [0.1, 0.9]),
    ("score", [True]),
    ("ranking", [["a", "b"]]),
    ("embedding", [[0.0, 1.0]]),
    ("embedding", [[0.0, 0.0], [nan, 1.0], []]),
    ("boxes", [[{"box": [0, 0, 1, 1], "label": 1}]]),
    ("text", ["a", "b"]),
    ("label", ["a", nan]),
    ("opaque", ["a"]),
]


@pytest.mark.parametrize(("kind", "items"), DECISIONS)
def test_a_decision_beside_itself_is_measured_the_short_way_as_the_long_way(kind: str, items: Any) -> None:
    by = rules(Prediction(at="$.p[*]", kind=kind))
    body = write_json({"p": items})
    production = assess(by, *ANY, answer(body))
    short = compare(by, production, assess(by, *ANY, answer(body), production))
    long = compare(by, production, assess(by, *ANY, answer(body + b" ")))
    assert short == long


def test_what_is_no_text_is_not_like_one() -> None:
    by = rules(protocol="torchserve")
    found = compared(b'{"generated_text": "a cat"}', b"[1, 2]", by, ("POST", "/predictions/m"))
    assert (found.agrees, found.metrics["similarity"]) == (None, 0)


def test_every_item_of_a_keyed_batch_is_measured_beside_its_own() -> None:
    by = rules(Prediction(at="$.p[*].s", kind="score", key="id"))
    a, b = ({"p": [{"id": i, "s": i / 10} for i in order]} for order in ((1, 9), (9, 1)))
    found = compared(write_json(a), write_json(b), by)
    assert (found.agrees, found.metrics["absolute_difference"]) == (True, 0)


def test_probabilities_beside_labels_are_measured_too() -> None:
    a, b = (
        tensors([4], "1", "INT64", "label") | {"outputs": [
            *tensors([4], "1", "INT64", "label")["outputs"], *tensors(row, "1")["outputs"]]}
        for row in ([0.5, 0.3, 0.2], [0.4, 0.4, 0.2])
    )  # fmt: skip
    found = compared(write_json(a), write_json(b), request=INFER)
    assert (found.agrees, found.items) == (True, 1)
    assert found.metrics["total_variation"] == pytest.approx(0.1)
    assert compared(write_json(a), write_json(a), request=INFER).metrics["total_variation"] == 0
