"""What an answer of the Open Inference Protocol decided."""

from __future__ import annotations

from typing import Any

import pytest

from shadowproxy.compare.tensors import read


def tensor(name: str, datatype: str, shape: Any, data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


LABELS = tensor("label", "INT64", [2], [3, 4])
PROBABILITIES = tensor("probabilities", "FP32", [2, 2], [0.1, 0.9, 0.8, 0.2])

READ = [
    # outputs, kind, items
    ([LABELS, PROBABILITIES], "label", [3, 4]),
    ([PROBABILITIES, LABELS], "label", [3, 4]),  # the order of outputs says nothing
    ([PROBABILITIES], "probabilities", [[0.1, 0.9], [0.8, 0.2]]),
    ([tensor("p", "FP32", [2, 2], [[0.1, 0.9], [0.8, 0.2]])], "probabilities", [[0.1, 0.9], [0.8, 0.2]]),  # nested
    ([tensor("predict", "INT64", [2, 1], [3, 4])], "label", [3, 4]),
    ([tensor("predict", "INT64", [2, 1], [[3], [4]])], "label", [3, 4]),
    ([tensor("out", "BYTES", [2], ["a", "b"])], "label", ["a", "b"]),  # the only one, whatever its name
    ([tensor("ok", "BOOL", [1], [True])], "label", [True]),
    ([tensor("boxes", "INT32", [1], [2]), tensor("class_id", "INT32", [1], [5])], "label", [5]),
    ([tensor("a", "INT32", [1], [2]), tensor("b", "INT32", [1], [5])], "opaque", []),  # which one?
    ([tensor("predict", "INT64", [1, 3], [1, 2, 3])], "label", [[1, 2, 3]]),  # one row of three
    ([tensor("predict", "INT64", [5], [1, 2, 3])], "label", [1, 2, 3]),  # the shape does not fit
    ([tensor("predict", "INT64", None, [1, 2])], "label", [1, 2]),
    ([tensor("predict", "INT64", [True], [1])], "label", [1]),
    ([tensor("predict", "INT64", [], [1])], "label", [1]),
    ([tensor("score", "FP32", [2], [0.1, 0.2])], "number", [0.1, 0.2]),  # one number a row
    ([tensor("score", "FP32", [2, 1], [0.1, 0.2])], "number", [0.1, 0.2]),
    ([tensor("a", "FP32", [1], [0.1]), tensor("b", "FP32", [1], [0.2])], "opaque", []),  # which one?
    ([tensor("sentence_embedding", "FP32", [1, 2], [0.1, 0.2])], "embedding", [[0.1, 0.2]]),
    # Triton's classification extension: value:index:label, the greatest first
    ([tensor("out", "BYTES", [1, 2], ["0.9:7:cat", "0.1:3:dog"])], "label", ["cat"]),
    ([tensor("out", "BYTES", [2, 1], ["0.9:7", "1e-3:3"])], "label", [7, 3]),
    ([tensor("out", "BYTES", [2], ["0.9:7", "cat"])], "label", ["0.9:7", "cat"]),
    ([tensor("hidden", "FP32", [1, 2], [1, 2]), tensor("logits", "FP32", [1, 2], [3, 4])], "probabilities", [[3, 4]]),
    ([tensor("image", "FP32", [1, 2, 2], [1, 2, 3, 4])], "opaque", []),
    ([tensor("probs", "FP32", [1, 13], [])], "probabilities", []),  # a row, and nothing in it
    ([tensor("predict", "INT64", [2, 3], [])], "label", []),
    ([], "opaque", []),
    (None, "opaque", []),
    ([None, 1, {"name": "label"}, {"data": 3}], "opaque", []),
    ([tensor([[1]], "INT64", [1], [1])], "label", [1]),  # a name that is none
]


@pytest.mark.parametrize(("outputs", "kind", "items"), READ)
def test_the_decision_is_found_among_the_outputs(outputs: Any, kind: str, items: list[Any]) -> None:
    reading = read({"outputs": outputs})
    assert (reading.kind, reading.items) == (kind, items)


@pytest.mark.parametrize("answer", [None, [], "outputs", {}, {"outputs": {}}])
def test_what_is_no_answer_of_the_protocol_decided_nothing(answer: Any) -> None:
    assert read(answer) == ("opaque", [], [], 0, "")


def test_probabilities_beside_labels_are_read_too() -> None:
    logits = tensor("logits", "FP32", [1, 2], [3.0, None])
    reading = read({"outputs": [LABELS, PROBABILITIES, logits]})
    assert reading.distributions == [[0.1, 0.9], [0.8, 0.2]]  # logits are none
    assert reading.nulls == 1
