"""The Open Inference Protocol's binary tensor extension: a JSON header, then tensors' bytes one after the other.

`Inference-Header-Content-Length` says how long the header is. An output with `parameters.binary_data_size` has its
data among the bytes, in the order of the outputs: little-endian, row-major, without padding; BOOL a byte each, BYTES
each with a length of four bytes before it. What comes out is the answer as JSON would have given it: `data` as a flat
list. BYTES that are no UTF-8 are shown as `{"b64": …}`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

HEADER: Final = "inference-header-content-length"

# numpy's names; BF16 is the upper half of a float32.
_TYPES: Final = {
    "BOOL": "|b1",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}


def header_length(value: str | None, body: bytes) -> int | None:
    """How many bytes of the body are JSON; None where the field is absent or cannot be."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 10:
        return None
    length = int(value)
    return length if 0 < length <= len(body) else None


def joined(answer: Any, tensors: bytes) -> Any | None:
    """The header's value with the data of its binary tensors in place; None where bytes and sizes do not fit."""
    outputs = answer.get("outputs") if isinstance(answer, dict) else None
    if not isinstance(outputs, list):
        return None
    whole: list[Any] = []
    at = 0
    for output in outputs:
        size = _size(output)
        if size is None:
            whole.append(output)
            continue
        if at + size > len(tensors):
            return None
        data = _data(output.get("datatype"), tensors[at : at + size])
        if data is None:
            return None
        at += size
        whole.append({**output, "data": data})
    return {**answer, "outputs": whole} if at == len(tensors) else None


def _size(output: Any) -> int | None:
    parameters = output.get("parameters") if isinstance(output, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    return size if size.__class__ is int and size >= 0 else None


def _data(datatype: Any, raw: bytes) -> list[Any] | None:
    if datatype == "BYTES":
        return _strings(raw)
    if datatype == "BF16":
        return _numbers("<u2", raw, is_half=True)
    known = _TYPES.get(datatype) if isinstance(datatype, str) else None
    return _numbers(known, raw) if known is not None else None


def _numbers(dtype: str, raw: bytes, is_half: bool = False) -> list[Any] | None:
    import numpy as np

    if len(raw) % np.dtype(dtype).itemsize:
        return None
    array = np.frombuffer(raw, dtype)
    if is_half:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    values: list[Any] = array.tolist()
    return values


def _strings(raw: bytes) -> list[Any] | None:
    found: list[Any] = []
    at = 0
    while at + 4 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "little")
        at += 4
        if at + length > len(raw):
            return None
        found.append(_text(raw[at : at + length]))
        at += length
    return found if at == len(raw) else None


def _text(raw: bytes) -> Any:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"b64": b64encode(raw).decode("ascii")}
