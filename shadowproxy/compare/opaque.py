"""Bodies that are not JSON on both sides: one difference, with a window on where they part."""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.compare.differences import Difference, Found
from shadowproxy.compare.excerpt import MAX_TEXT, cut, excerpt
from shadowproxy.compare.lift import Form, Lifted

_BEFORE: Final = 40  # characters of a text shown before the first that differs
_BYTES: Final = 16  # bytes shown from the first that differs


def diff_opaque(production: Lifted, other: Lifted) -> Found:
    """The one difference between two bodies whose bytes differ: `text`, `bytes`, or `type` of body."""
    a, b = production.value, other.value
    if production.form is not other.form:
        return _one("type", _said(production), _said(other))
    at = _parting(a, b)
    if production.form is Form.TEXT:
        start = at - _BEFORE if at > _BEFORE else 0
        return _one("text", _window(a, start), _window(b, start))
    return _one("bytes", _hex(a, at), _hex(b, at))


def _one(kind: str, a: Any, b: Any) -> Found:
    return Found((Difference("$", kind, a, b),), 1)


def _said(lifted: Lifted) -> Any:
    if lifted.form is Form.BYTES:
        return _hex(lifted.value, 0)
    return None if lifted.form is Form.EMPTY else excerpt(lifted.value)


def _window(text: str, start: int) -> str:
    return cut(("…" if start else "") + text[start : start + MAX_TEXT + 1])


def _hex(body: bytes, at: int) -> str:
    return f"{len(body)} bytes, from {at}: {body[at : at + _BYTES].hex(' ')}"


def _parting(a: Any, b: Any) -> int:
    """The first position at which two sequences differ, by halving: slices compare at memory's speed."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
