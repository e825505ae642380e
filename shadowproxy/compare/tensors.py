"""What an answer of the Open Inference Protocol decided.

The protocol names and types tensors but does not say which one is the decision. Taken is, in this order:

1. of the outputs of an integer type, BOOL or BYTES: the first whose name contains label, class, predict or decision,
   or the only one there is: labels, one for each row. Strings `value:index[:label]` (Triton's classification
   extension) are read as the label of each row's first, or its index;
2. of the floating-point outputs of shape [n, k >= 2]: the first whose name contains embed: embeddings; else the first
   whose name contains prob, softmax, score or logit, or the only one there is: probabilities, decided by the greatest
   of each row;
3. the only floating-point output, of shape [n] or [n, 1]: numbers;
4. else nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from shadowproxy.compare.decision import EMBEDDING, LABEL, NUMBER, OPAQUE, PROBABILITIES
from shadowproxy.compare.flatten import flattened

_EXACT = frozenset({"BOOL", "BYTES", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_REAL = frozenset({"FP16", "FP32", "FP64", "BF16"})
_FLOATS = frozenset({float})
_DECISION = "label|class|predict|decision"
_DISTRIBUTION = "prob|softmax|score|logit"
_PROBABILITY = "prob|softmax"
_EMBEDDING = "embed"
_CLASSIFIED = re.compile(r"[-+.\deE]+:(\d+)(?::(.*))?", re.DOTALL)

_LONGEST_NAME = 200

Tensor = dict[str, Any]


class Reading(NamedTuple):
    kind: str  # of prediction, opaque where nothing is known
    items: list[Any]  # raw, one for each row
    distributions: list[Any]  # the rows of every output that calls itself probabilities
    nulls: int  # how often a tensor of floating-point numbers holds null
    datatype: str = ""  # of the decision's numbers


NOTHING: Final = Reading(OPAQUE, [], [], 0)  # there is no tensor


def read(answer: Any) -> Reading:
    tensors = _tensors(answer)
    if not tensors:
        return NOTHING
    if len(tensors) == 1 and (table := tensors[0])["datatype"] in _REAL and _is_table(table):
        return _of_table(table)
    real = [tensor for tensor in tensors if tensor["datatype"] in _REAL]
    tables = [tensor for tensor in real if _is_table(tensor)]
    kind, chosen = _decision([t for t in tensors if t["datatype"] in _EXACT], tables, real)
    items = rows(chosen["data"], chosen.get("shape")) if chosen is not None else []
    if kind == LABEL:
        items = _classified(items)
    return Reading(
        kind,
        items,
        [
            row
            for table in tables
            if _says(_name(table), _PROBABILITY)
            for row in (items if table is chosen else rows(table["data"], table.get("shape")))
        ],
        sum(flattened(tensor["data"]).count(None) for tensor in real),
        chosen["datatype"] if chosen is not None else "",
    )


def _of_table(table: Tensor) -> Reading:
    """What `read` says of the only output where that is a table of floating-point numbers."""
    name = _name(table)
    data = table["data"]
    # Two walks that compare each number with a list and with null cost as much as reading the answer.
    is_plain = _FLOATS.issuperset(map(type, data))
    flat = data if is_plain else flattened(data)
    items = _shaped(flat, table.get("shape"))
    nulls = 0 if is_plain else flat.count(None)
    kind = EMBEDDING if _says(name, _EMBEDDING) else PROBABILITIES
    return Reading(kind, items, items if _says(name, _PROBABILITY) else [], nulls, table["datatype"])


def _decision(exact: Sequence[Tensor], tables: Sequence[Tensor], real: Sequence[Tensor]) -> tuple[str, Tensor | None]:
    if (chosen := _chosen(exact, _DECISION)) is not None:
        return LABEL, chosen
    if (chosen := next((table for table in tables if _says(_name(table), _EMBEDDING)), None)) is not None:
        return EMBEDDING, chosen
    if (chosen := _chosen(tables, _DISTRIBUTION)) is not None:
        return PROBABILITIES, chosen
    if len(real) == 1 and _is_column(real[0]):
        return NUMBER, real[0]
    return OPAQUE, None


def _name(tensor: Tensor) -> str:
    name = tensor.get("name", "")
    return name[:_LONGEST_NAME] if name.__class__ is str else ""


def _tensors(answer: Any) -> list[Tensor]:
    outputs = answer.get("outputs") if isinstance(answer, dict) else None
    if not isinstance(outputs, list):
        return []
    return [
        tensor
        for tensor in outputs
        if tensor.__class__ is dict and tensor.get("datatype").__class__ is str and tensor.get("data").__class__ is list
    ]


@lru_cache(maxsize=1024)  # a model has few outputs
def _says(name: str, what: str) -> bool:
    return re.search(what, name, re.IGNORECASE) is not None


def _chosen(tensors: Sequence[Tensor], what: str) -> Tensor | None:
    if not tensors:
        return None
    if len(tensors) == 1:
        return tensors[0]
    return next((tensor for tensor in tensors if _says(_name(tensor), what)), None)


def _is_table(tensor: Tensor) -> bool:
    shape = tensor.get("shape")
    return isinstance(shape, list) and len(shape) == 2 and shape[1].__class__ is int and shape[1] >= 2


def _is_column(tensor: Tensor) -> bool:
    shape = tensor.get("shape")
    return isinstance(shape, list) and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1))


def _classified(items: list[Any]) -> list[Any]:
    first = [item[0] if item.__class__ is list and item else item for item in items]
    found = [_CLASSIFIED.fullmatch(item) if item.__class__ is str else None for item in first]
    if not found or None in found:
        return items
    return [match[2] or int(match[1]) for match in found if match is not None]


def rows(data: Any, shape: Any) -> list[Any]:
    """One item for each index of the first dimension; a row of one element is that element."""
    if not isinstance(data, list):
        return []
    return _shaped(flattened(data), shape)


def _shaped(flat: list[Any], shape: Any) -> list[Any]:
    count = shape[0] if isinstance(shape, list) and shape else len(flat)
    if count.__class__ is not int or count <= 0 or not flat or len(flat) % count:
        return flat  # the shape does not fit the data: element by element is what can be said
    width = len(flat) // count
    return flat if width == 1 else [flat[at : at + width] for at in range(0, len(flat), width)]
