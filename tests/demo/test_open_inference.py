"""Requests of the protocol are read strictly; answers have its form, NaN bare."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from shadowproxy.demo.digits import Pixels
from shadowproxy.demo.open_inference import BadRequestError, answer, parse, request_body
from shadowproxy.demo.predictor import Floats

ROW = [float(value % 17) for value in range(64)]


def body(tensor: dict[str, Any] | None = None, **more: Any) -> bytes:
    given = {"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": ROW}
    return json.dumps({"inputs": [{**given, **(tensor or {})}], **more}).encode()


def always(*classes: int) -> Any:
    def predict(pixels: Pixels) -> Floats:
        return np.eye(10)[list(classes)]

    return predict


@pytest.mark.parametrize("data", [ROW, [ROW]], ids=["flat", "nested"])
def test_a_row_may_be_flat_or_nested(data: list[Any]) -> None:
    assert parse(body({"data": data})).pixels.tolist() == [ROW]


def test_what_the_traffic_sends_is_what_the_server_reads() -> None:
    assert parse(request_body(np.array([ROW, ROW]))).pixels.tolist() == [ROW, ROW]


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"{}", "inputs is not a list of one tensor"),
        (b'{"inputs": []}', "inputs is not a list of one tensor"),
        (body(id=7), "id is not a string"),
        (body({"name": "image"}), "the input is named 'image'"),
        (body({"datatype": "BYTES"}), "datatype 'BYTES' is no number type"),
        (body({"shape": [64]}), "shape is [64]; expected [n, 64]"),
        (body({"shape": [0, 64], "data": []}), "shape is [0, 64]"),
        (body({"shape": [True, 64]}), "shape is [True, 64]"),
        (body({"shape": [2000, 64]}), "n from 1 to 1024"),
        (body({"data": ROW[1:]}), "data is not 1 × 64 numbers"),
        (body({"data": ["x"] * 64}), "data is not 1 × 64 numbers"),
        (body({"data": None}), "data is not 1 × 64 numbers"),
        (body(outputs=[{"name": "score"}]), "no output score"),
        (body(outputs="label"), "outputs is not a list"),
    ],
)
def test_a_bad_request_is_told_in_a_sentence(sent: bytes, sentence: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        parse(sent)
    assert sentence in str(refused.value)


def test_an_answer_has_label_and_probabilities() -> None:
    said = json.loads(answer(parse(body()), always(4), "1"))
    assert said == {
        "model_name": "digits",
        "model_version": "1",
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [1], "data": [4]},
            {"name": "probabilities", "datatype": "FP32", "shape": [1, 10], "data": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]},
        ],
    }


def test_a_batch_is_row_major() -> None:
    said = json.loads(answer(parse(body({"shape": [2, 64], "data": ROW * 2})), always(1, 0), "1"))
    label, probabilities = said["outputs"]
    assert (label["shape"], label["data"]) == ([2], [1, 0])
    assert probabilities["shape"] == [2, 10]
    assert probabilities["data"] == [0, 1, *[0] * 8, 1, *[0] * 9]


def test_the_id_comes_back() -> None:
    assert json.loads(answer(parse(body(id="order-7")), always(4), "1"))["id"] == "order-7"


def test_only_wanted_outputs_are_given() -> None:
    said = json.loads(answer(parse(body(outputs=[{"name": "probabilities"}])), always(4), "1"))
    assert [output["name"] for output in said["outputs"]] == ["probabilities"]


def test_nan_is_written_bare() -> None:
    sent = answer(parse(body(id="a")), lambda pixels: np.full((1, 10), math.nan), "3")
    assert sent.count(b"NaN") == 10
    said = json.loads(sent)
    assert said["id"] == "a"
    assert said["outputs"][0]["data"] == [0]
    assert all(math.isnan(value) for value in said["outputs"][1]["data"])
