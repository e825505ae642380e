"""Answers of the binary tensor extension compare as the JSON that they stand for."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.compare import Assessed, assess, compare
from shadowproxy.compare.lift import Form, lift_tensors
from tests.compare.exchanges import INFER, answer, kinds, rules

BYTES = "application/octet-stream"


def strings(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def binary(*outputs: tuple[str, str, list[int], bytes]) -> tuple[bytes, int]:
    header = json.dumps(
        {
            "model_name": "m",
            "outputs": [
                {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
                for name, datatype, shape, raw in outputs
            ],
        }
    ).encode()
    return header + b"".join(raw for *_, raw in outputs), len(header)


def whole(name: str, datatype: str, shape: list[int], data: list[Any]) -> bytes:
    output = {"name": name, "datatype": datatype, "shape": shape, "data": data, "parameters": {}}
    return json.dumps({"model_name": "m", "outputs": [output]}).encode()


def read(body: bytes, header_bytes: int | str, like: Assessed | None = None) -> Assessed:
    field = (("Inference-Header-Content-Length", str(header_bytes)),)
    return assess(rules(headers=()), *INFER, answer(body, type_=BYTES, headers=field), like)


TENSORS = [
    ("FP32", struct.pack("<2f", 0.25, 0.75), [0.25, 0.75]),
    ("FP64", struct.pack("<2d", 0.25, 0.75), [0.25, 0.75]),
    ("FP16", struct.pack("<2e", 0.25, 0.75), [0.25, 0.75]),
    ("BF16", struct.pack("<2H", 0x3E80, 0x3F40), [0.25, 0.75]),  # the upper halves of the float32s
    ("INT64", struct.pack("<2q", -1, 2**53 + 1), [-1, 2**53 + 1]),
    ("UINT8", b"\x00\xff", [0, 255]),
    ("BOOL", b"\x01\x00", [True, False]),
    ("BYTES", strings(b"cat", "dög".encode()), ["cat", "dög"]),
]


@pytest.mark.parametrize(("datatype", "raw", "data"), TENSORS)
def test_a_tensor_in_bytes_is_the_tensor_in_json(datatype: str, raw: bytes, data: list[Any]) -> None:
    by = rules(headers=())
    production = read(*binary(("p", datatype, [2], raw)))
    other = assess(by, *INFER, answer(whole("p", datatype, [2], data)), production)
    assert production.lifted.value["outputs"][0]["data"] == data
    assert kinds(compare(by, production, other)) == []


def test_tensors_follow_each_other_in_the_order_of_the_outputs() -> None:
    body, header = binary(
        ("label", "INT32", [1], struct.pack("<i", 7)), ("p", "FP32", [1, 2], struct.pack("<2f", 0, 1))
    )
    shown = read(body, header)
    assert (shown.decision.kind, shown.decision.items) == ("label", (7,))


def test_a_difference_is_at_its_element() -> None:
    a = read(*binary(("p", "FP32", [1, 2], struct.pack("<2f", 0.25, 0.75))))
    b = read(*binary(("p", "FP32", [1, 2], struct.pack("<2f", 0.75, 0.25))), a)
    comparison = compare(rules(headers=()), a, b)
    assert kinds(comparison) == [("$.outputs[0].data[0]", "value"), ("$.outputs[0].data[1]", "value")]
    assert (comparison.agrees, comparison.production_prediction, comparison.shadow_prediction) == (False, "1", "0")


def test_a_boolean_is_no_number_in_bytes_either() -> None:
    a = read(*binary(("p", "BOOL", [1], b"\x01")))
    by = rules(headers=())
    b = assess(by, *INFER, answer(whole("p", "BOOL", [1], [1])), a)
    assert kinds(compare(by, a, b)) == [("$.outputs[0].data[0]", "type")]


def test_not_a_number_in_bytes_is_counted() -> None:
    shown = read(*binary(("p", "FP32", [1, 2], struct.pack("<2f", float("nan"), float("inf")))))
    assert shown.lifted.nonfinite == 2


BROKEN = [
    (lambda body, header: (body[:-1], header)),  # fewer bytes than the sizes say
    (lambda body, header: (body + b"x", header)),  # more
    (lambda body, header: (body, header - 1)),  # the header is no JSON
]


@pytest.mark.parametrize("spoil", BROKEN)
def test_bytes_that_do_not_fit_are_unparsable(spoil) -> None:  # type: ignore[no-untyped-def]
    shown = read(*spoil(*binary(("p", "FP32", [2], struct.pack("<2f", 1, 2)))))
    assert (shown.bad, shown.why) == (True, "unparsable")


@pytest.mark.parametrize("length", ["0", "-1", "x", "99999999999999999999", "1e3", ""])
def test_a_header_that_says_nothing_leaves_opaque_bytes(length: str) -> None:
    shown = read(b"\x00\x01", length)
    assert (shown.lifted.form, shown.bad) == (Form.BYTES, False)


SIZES: Any = st.one_of(st.integers(-2, 20), st.none(), st.booleans(), st.text(max_size=2))


@given(
    st.lists(st.tuples(st.sampled_from(["FP32", "BF16", "BYTES", "BOOL", "INT64", "X", "", None]), SIZES), max_size=4),
    st.binary(max_size=40),
)
def test_no_header_and_no_bytes_raise(outputs: list[tuple[Any, Any]], raw: bytes) -> None:
    header = json.dumps(
        {"outputs": [{"datatype": kind, "parameters": {"binary_data_size": size}} for kind, size in outputs]}
    ).encode()
    assert lift_tensors(header + raw, len(header)).form in (Form.JSON, Form.BYTES)
