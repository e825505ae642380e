"""What an answer of the Open Inference Protocol decided.

The protocol names and types tensors but does not say which one is the decision. Taken is, in this order:

1. of the outputs of an integer type, BOOL or BYTES: the first whose name contains label, class, predict or decision,
   or the only one there is: labels, one for each row;
2. of the floating-point outputs of shape [n, k >= 2]: the first whose name contains prob, softmax, score or logit, or
   the only one there is: probabilities, decided by the greatest of each row;
3. else nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from shadowproxy.compare.flatten import flattened

_EXACT = frozenset({"BOOL", "BYTES", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_REAL = frozenset({"FP16", "FP32", "FP64", "BF16"})
_DECISION = re.compile("label|class|predict|decision", re.IGNORECASE)
_DISTRIBUTION = re.compile("prob|softmax|score|logit", re.IGNORECASE)
_PROBABILITY = re.compile("prob|softmax", re.IGNORECASE)

Tensor = dict[str, Any]


def decided(answer: Any) -> tuple[str, list[Any]]:
    """(kind of prediction, one raw item for each row), ("opaque", []) where nothing is known."""
    tensors = _tensors(answer)
    if (labels := _chosen([t for t in tensors if t.get("datatype") in _EXACT], _DECISION)) is not None:
        return "label", _rows(labels)
    wide = [t for t in tensors if t.get("datatype") in _REAL and _is_table(t)]
    if (table := _chosen(wide, _DISTRIBUTION)) is not None:
        return "probabilities", _rows(table)
    return "opaque", []


def nulls(answer: Any) -> int:
    """How often a tensor of numbers holds null."""
    numeric = (t for t in _tensors(answer) if t.get("datatype") in _REAL)
    return sum(flattened(t["data"]).count(None) for t in numeric)


def distributions(answer: Any) -> list[Any]:
    """The rows of every output that calls itself probabilities."""
    return [
        row
        for t in _tensors(answer)
        if t.get("datatype") in _REAL and _is_table(t) and _PROBABILITY.search(str(t.get("name", "")))
        for row in _rows(t)
    ]


def _tensors(answer: Any) -> list[Tensor]:
    outputs = answer.get("outputs") if isinstance(answer, dict) else None
    if not isinstance(outputs, list):
        return []
    return [tensor for tensor in outputs if isinstance(tensor, dict) and isinstance(tensor.get("data"), list)]


def _chosen(tensors: Sequence[Tensor], name: re.Pattern[str]) -> Tensor | None:
    named = [tensor for tensor in tensors if name.search(str(tensor.get("name", "")))]
    if named:
        return named[0]
    return tensors[0] if len(tensors) == 1 else None


def _is_table(tensor: Tensor) -> bool:
    shape = tensor.get("shape")
    return isinstance(shape, list) and len(shape) == 2 and isinstance(shape[1], int) and shape[1] >= 2


def _rows(tensor: Tensor) -> list[Any]:
    """One item for each index of the first dimension; a row of one element is that element."""
    flat = flattened(tensor["data"])
    shape = tensor.get("shape")
    rows = shape[0] if isinstance(shape, list) and shape else len(flat)
    if not isinstance(rows, int) or rows <= 0 or len(flat) % rows:
        return flat  # the shape does not fit the data: element by element is what can be said
    width = len(flat) // rows
    return flat if width == 1 else [flat[at : at + width] for at in range(0, len(flat), width)]
