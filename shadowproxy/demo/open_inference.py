"""The Open Inference Protocol v2, as far as one tensor of pixels in and two tensors out need it.

In: `pixels`, shape [n, 64], flat or nested, any number type. Out: `label` INT64 [n] and `probabilities` FP32 [n, 10],
flat, or those of the two that the request's `outputs` name. JSON alone; the binary extension is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from shadowproxy.demo.digits import CLASSES, PIXELS, Pixels
from shadowproxy.demo.predictor import Predictor

MODEL: Final = "digits"
LARGEST_BATCH: Final = 1024

_NUMBERS: Final = frozenset(
    {*(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)), "FP16", "FP32", "FP64"}
)
_OUTPUTS: Final = {"label": ("INT64", []), "probabilities": ("FP32", [CLASSES])}


class BadRequestError(Exception):
    """One sentence for the client: the request is not one that this model can answer."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A valid inference request: `id` is echoed, `outputs` are those wanted, in their order."""

    id: str | None
    pixels: Pixels
    outputs: tuple[str, ...]


def parse(body: bytes) -> Ask:
    """Raises BadRequestError."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise BadRequestError(f"the body is not JSON: {e}") from None
    if not isinstance(asked, dict):
        raise BadRequestError("the body is not a JSON object")
    request_id = asked.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise BadRequestError("id is not a string")
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadRequestError('inputs is not a list of one tensor, named "pixels"')
    return Ask(request_id, _pixels(inputs[0]), _wanted(asked.get("outputs")))


def _pixels(tensor: dict[str, Any]) -> Pixels:
    if tensor.get("name") != "pixels":
        raise BadRequestError(f'the input is named {tensor.get("name")!r}; this model takes "pixels"')
    if tensor.get("datatype") not in _NUMBERS:
        raise BadRequestError(f"datatype {tensor.get('datatype')!r} is no number type of the protocol")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or len(shape) != 2 or shape[1] != PIXELS or not _is_batch(shape[0]):
        raise BadRequestError(f"shape is {shape!r}; expected [n, {PIXELS}] with n from 1 to {LARGEST_BATCH}")
    try:
        data = np.asarray(tensor.get("data"), dtype=np.float64)
        return data.reshape(shape)
    except (TypeError, ValueError):
        raise BadRequestError(f"data is not {shape[0]} × {PIXELS} numbers") from None


def _is_batch(size: object) -> bool:
    return type(size) is int and 1 <= size <= LARGEST_BATCH


def _wanted(outputs: object) -> tuple[str, ...]:
    if outputs is None:
        return tuple(_OUTPUTS)
    if not isinstance(outputs, list):
        raise BadRequestError("outputs is not a list")
    names = [str(output.get("name")) if isinstance(output, dict) else repr(output) for output in outputs]
    for name in names:
        if name not in _OUTPUTS:
            raise BadRequestError(f"no output {name}; this model gives {' and '.join(_OUTPUTS)}")
    return tuple(names) or tuple(_OUTPUTS)


def answer(ask: Ask, predict: Predictor, version: str) -> bytes:
    """The body of the answer. NaN is written bare, as many servers write it: no JSON, but what a broken model sends."""
    probabilities = predict(ask.pixels)
    results = {"label": probabilities.argmax(axis=1), "probabilities": probabilities.astype(np.float32)}
    head: dict[str, Any] = {"model_name": MODEL, "model_version": version}
    if ask.id is not None:
        head["id"] = ask.id
    tensors = [_tensor(name, results[name]) for name in ask.outputs]
    if np.isfinite(probabilities).all():
        return orjson.dumps({**head, "outputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY)
    plain = [{**tensor, "data": tensor["data"].tolist()} for tensor in tensors]
    return json.dumps({**head, "outputs": plain}, separators=(",", ":")).encode()


def _tensor(name: str, result: Any) -> dict[str, Any]:
    return {"name": name, "datatype": _OUTPUTS[name][0], "shape": list(result.shape), "data": result.reshape(-1)}


def model_metadata(version: str) -> dict[str, Any]:
    outputs = [
        {"name": name, "datatype": datatype, "shape": [-1, *rest]} for name, (datatype, rest) in _OUTPUTS.items()
    ]
    return {
        "name": MODEL,
        "versions": [version],
        "platform": "scikit-learn",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, PIXELS]}],
        "outputs": outputs,
    }


def request_body(pixels: Pixels) -> bytes:
    """What a client sends for whole-numbered rows of pixels."""
    shape = list(pixels.shape)
    data = pixels.astype(np.int64).reshape(-1).tolist()
    return orjson.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": shape, "data": data}]})
