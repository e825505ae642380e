"""JSON as text: where a value stands, and the text with another one in its place.

Law: what is not replaced stays byte for byte: integers of any size, the spelling of floats, the order of members, white
space. A reader that turns text into values and back keeps none of these (orjson makes a float of 2^64: measured).

Text is read by the standard library's C scanner, which gives the end of a value, with numbers left as text. Positions
are characters, so bytes are decoded once and encoded once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final

Keys = Sequence[str | int]  # the steps of a path: a member's name or an element's number, from the end where negative

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_scan: Final = _DECODER.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out
_FAULTS: Final = (ValueError, StopIteration, IndexError, RecursionError)


class NotThereError(ValueError):
    """The text is no JSON, or has nothing at that path."""


def value(body: bytes | bytearray, keys: Keys) -> str | None:
    """The JSON text of the value at `keys`, the last one where a name repeats; None where there is none, or no JSON."""
    try:
        text = body.decode()
        spans = _spans(text, keys)
    except _FAULTS:
        return None
    start, end = spans[-1]
    return text[start:end]


def replaced(body: bytes | bytearray, changes: Sequence[tuple[Keys, str]]) -> bytes:
    """`body` with the text of each change at its path; a member that is missing is added to the end of its object.

    Where a name repeats, each of its values is replaced. Raises NotThereError.
    """
    try:
        text = body.decode()
        for keys, new in changes:
            text = _replaced(text, keys, new)
        return text.encode()
    except _FAULTS as e:
        raise NotThereError(str(e)) from e


def _replaced(text: str, keys: Keys, new: str) -> str:
    try:
        spans = _spans(text, keys)
    except NotThereError:
        if not keys or not isinstance(keys[-1], str):
            raise
        (start, end), *_ = reversed(_spans(text, keys[:-1]))
        return _added(text, start, end, keys[-1], new)
    for start, end in reversed(spans):
        text = text[:start] + new + text[end:]
    return text


def _added(text: str, start: int, end: int, name: str, new: str) -> str:
    if text[start] != "{":
        raise NotThereError(f"{name!r} is wanted of what is no object")
    last = max((stop for _, _, stop in _members(text, start)), default=0)
    member = f"{json.dumps(name, ensure_ascii=False)}:{new}"
    return f"{text[:last]},{member}{text[last:]}" if last else f"{text[: start + 1]}{member}{text[start + 1 :]}"


def _spans(text: str, keys: Keys) -> list[tuple[int, int]]:
    """Where the values at `keys` begin and end, at least one; the whole text is read."""
    start = _space(text, 0)
    end = _end(text, start)
    if _space(text, end) != len(text):
        raise NotThereError(f"there is more behind the value that ends at {end}")
    spans = [(start, end)]
    for key in keys:
        spans = [span for start, _ in spans for span in _step(text, start, key)]
        if not spans:
            raise NotThereError(f"there is no {key!r}")
    return spans


def _step(text: str, start: int, key: str | int) -> list[tuple[int, int]]:
    if isinstance(key, str):
        if text[start] != "{":
            return []
        return [(at, end) for name, at, end in _members(text, start) if name == key]
    if text[start] != "[":
        return []
    elements = list(_elements(text, start))
    return [elements[key]] if -len(elements) <= key < len(elements) else []


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """(name, where its value begins, and ends) of an object that `_end` has found to be whole."""
    at = _space(text, start + 1)
    while text[at] == '"':
        name, at = scanstring(text, at + 1, True)
        at = _space(text, _space(text, at) + 1)  # over the colon
        end = _end(text, at)
        yield name, at, end
        at = _space(text, end)
        if text[at] == ",":
            at = _space(text, at + 1)


def _elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    at = _space(text, start + 1)
    while text[at] != "]":
        end = _end(text, at)
        yield at, end
        at = _space(text, end)
        if text[at] == ",":
            at = _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _end(text: str, start: int) -> int:
    end: int = _scan(text, start)[1]
    return end
