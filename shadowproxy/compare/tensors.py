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
from typing import Any, NamedTuple

from shadowproxy.compare.flatten import flattened

_EXACT = frozenset({"BOOL", "BYTES", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_REAL = frozenset({"FP16", "FP32", "FP64", "BF16"})
_DECISION = re.compile("label|class|predict|decision", re.IGNORECASE)
_DISTRIBUTION = re.compile("prob|softmax|score|logit", re.IGNORECASE)
_PROBABILITY = re.compile("prob|softmax", re.IGNORECASE)

Tensor = dict[str, Any]


class Reading(NamedTuple):
    kind: str  # of prediction: label, probabilities, or opaque where nothing is known
    items: list[Any]  # raw, one for each row
    distributions: list[Any]  # the rows of every output that calls itself probabilities
    nulls: int  # how often a tensor of floating-point numbers holds null


def read(answer: Any) -> Reading:
    tensors = _tensors(answer)
    real = [tensor for tensor in tensors if tensor["datatype"] in _REAL]
    tables = [tensor for tensor in real if _is_table(tensor)]
    kind, chosen = "label", _chosen([t for t in tensors if t["datatype"] in _EXACT], _DECISION)
    if chosen is None:
        kind, chosen = "probabilities", _chosen(tables, _DISTRIBUTION)
    return Reading(
        kind if chosen is not None else "opaque",
        _rows(chosen) if chosen is not None else [],
        [row for table in tables if _PROBABILITY.search(_name(table)) for row in _rows(table)],
        sum(flattened(tensor["data"]).count(None) for tensor in real),
    )


def _name(tensor: Tensor) -> str:
    return str(tensor.get("name", ""))


def _tensors(answer: Any) -> list[Tensor]:
    outputs = answer.get("outputs") if isinstance(answer, dict) else None
    if not isinstance(outputs, list):
        return []
    return [
        tensor
        for tensor in outputs
        if isinstance(tensor, dict) and isinstance(tensor.get("data"), list) and isinstance(tensor.get("datatype"), str)
    ]


def _chosen(tensors: Sequence[Tensor], name: re.Pattern[str]) -> Tensor | None:
    named = [tensor for tensor in tensors if name.search(_name(tensor))]
    if named:
        return named[0]
    return tensors[0] if len(tensors) == 1 else None


def _is_table(tensor: Tensor) -> bool:
    shape = tensor.get("shape")
    return isinstance(shape, list) and len(shape) == 2 and shape[1].__class__ is int and shape[1] >= 2


def _rows(tensor: Tensor) -> list[Any]:
    """One item for each index of the first dimension; a row of one element is that element."""
    flat = flattened(tensor["data"])
    shape = tensor.get("shape")
    rows = shape[0] if isinstance(shape, list) and shape else len(flat)
    if rows.__class__ is not int or rows <= 0 or len(flat) % rows:
        return flat  # the shape does not fit the data: element by element is what can be said
    width = len(flat) // rows
    return flat if width == 1 else [flat[at : at + width] for at in range(0, len(flat), width)]
