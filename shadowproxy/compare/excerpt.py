"""Values cut to a sane length, and always writable as JSON in UTF-8.

A pair's line holds excerpts of what differed. They may come from hostile bodies, so: numbers that JSON cannot write
(NaN, Infinity, integers beyond 64 bits) become their text, lone surrogates are escaped, strings are cut, and a
container is given as its JSON text.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final

import orjson

MAX_TEXT: Final = 200
_ELLIPSIS = "…"
# A container inside so many others is shown as an ellipsis: nobody reads further, and the stack stays short.
_MAX_SHOWN_DEPTH = 20
_LABELS: Final = frozenset({str, int, bool})  # what orjson writes as the standard library does
_LEAST, _GREATEST = -(1 << 63), (1 << 64) - 1
_NAMES = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def excerpt(value: Any, limit: int = MAX_TEXT) -> str | int | float | bool | None:
    """A scalar as it is (a string cut), a container as its JSON text, cut."""
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, float):
        return value if isfinite(value) else number_text(value)
    if isinstance(value, int):  # booleans too
        return value if _LEAST <= value <= _GREATEST else cut(number_text(value), limit)
    return None if value is None else json_text(value, limit)


def json_text(value: Any, limit: int = MAX_TEXT) -> str:
    """The value as JSON text, ended by an ellipsis when it is longer than `limit` characters."""
    if value.__class__ is list and _LABELS.issuperset(map(type, value)):
        try:
            return cut(orjson.dumps(value).decode(), limit)
        except TypeError:  # an integer beyond 64 bits, or a lone surrogate
            pass
    if not value or not (value.__class__ is list or value.__class__ is dict):
        return cut(_scalar(value, limit + 1), limit)
    pieces: list[str] = []
    _write(value, pieces, limit + 1, 0)
    return cut("".join(pieces), limit)


def cut(text: str, limit: int = MAX_TEXT) -> str:
    if len(text) > limit:
        text = text[: limit - 1] + _ELLIPSIS
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def number_text(number: float) -> str:
    if isinstance(number, int):
        # int() to text takes quadratic time, and CPython refuses it beyond 4,300 digits.
        return str(number) if number.bit_length() <= 4096 else f"an integer of {number.bit_length()} bits"
    text = repr(number)
    return _NAMES.get(text, text)


def _write(value: Any, pieces: list[str], room: int, depth: int) -> int:
    """Appends the JSON text of a container while there is room; returns the room that is left (none: at most 0)."""
    if depth == _MAX_SHOWN_DEPTH:
        pieces.append(_ELLIPSIS)
        return room - 1
    is_object = value.__class__ is dict
    before = "{" if is_object else "["
    for item in value:
        if room <= 0:
            return room
        if is_object:
            before = f"{before}{_quoted(item[: room + 1])}:"
            item = value[item]
        kind = item.__class__
        if item and (kind is list or kind is dict):
            pieces.append(before)
            room = _write(item, pieces, room - len(before), depth + 1)
        else:
            text = before + _scalar(item, room)
            pieces.append(text)
            room -= len(text)
        before = ","
    pieces.append("}" if is_object else "]")
    return room - 1


def _scalar(value: Any, room: int) -> str:
    """A scalar or an empty container."""
    kind = value.__class__
    if kind is str:
        return _quoted(value[: room + 1])
    return number_text(value) if kind is int or kind is float else json.dumps(value)


# `json.dumps` makes an encoder for each call that asks for anything but its defaults.
_quoted: Final = json.JSONEncoder(ensure_ascii=False).encode
