"""Bytes become a value that can be compared: JSON, else text, else opaque bytes.

A stream of server-sent events becomes the answer that it is the pieces of (`streams`), an answer of the binary tensor
extension the JSON that it stands for (`binary`): both are JSON from here on.

JSON is what Python's model servers write, a little more than RFC 8259: NaN, Infinity and -Infinity as bare words, and
numbers beyond a double (`1e400`), which lift to infinity. Integers keep every digit. Of a repeated member the last one
counts, as in every common parser; a leading byte order mark is skipped. Nesting beyond `MAX_DEPTH` is not followed:
such a body stays opaque bytes, so no later walk can run out of stack.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from itertools import chain
from typing import Any, Final

import msgspec

from shadowproxy.compare import binary, embeddings
from shadowproxy.compare.flatten import flattened
from shadowproxy.compare.jsonpath import Path
from shadowproxy.compare.media import Media
from shadowproxy.compare.streams import fold
from shadowproxy.compare.streams.events import events
from shadowproxy.compare.streams.folded import Chunk, Shape

# Below orjson's own limit for writing (254), so that whatever was lifted can be written again.
MAX_DEPTH: Final = 200


class Form(Enum):
    EMPTY = "empty"
    JSON = "json"
    TEXT = "text"
    BYTES = "bytes"


class Lifted(msgspec.Struct, frozen=True):
    form: Form
    value: Any = None  # JSON: the value; text: str; bytes: bytes
    nonfinite: int = 0  # JSON: how often NaN, Infinity, -Infinity or a number beyond a double stands in it
    broken: bool = False  # it was declared as JSON and is none
    derived: bool = False  # JSON: the value is not literally the body's
    failed: bool = False  # an event stream in which an event named `error` came
    stream: Shape | None = None  # an event stream's pieces


EMPTY: Final = Lifted(Form.EMPTY)

_decode: Final = msgspec.json.Decoder().decode
# CPython refuses int() of longer ones (it takes quadratic time); as a number it is beyond a double anyway.
_MAX_DIGITS = 4300


def lift(body: bytes, media: Media) -> Lifted:
    """The comparable value of a body whose content coding is removed. Never raises.

    A body without a declared type is JSON if it reads as JSON; one that is declared as another type is never guessed.
    """
    if not body:
        return EMPTY
    if media.is_json or not media.essence:
        lifted = lift_json(body)
        if lifted is not None:
            return lifted
    if media.is_text or not media.essence:
        try:
            return Lifted(Form.TEXT, body.decode())
        except UnicodeDecodeError:
            pass
    return Lifted(Form.BYTES, body, 0, media.is_json)


def lift_json(body: bytes) -> Lifted | None:
    """The body as JSON, as opaque bytes where it is nested too deep, or None where it is not JSON.

    msgspec keeps every digit of an integer, which orjson does not: with it, a body had to be searched for long runs of
    digits first (LARGE of bench.scenarios: 4.2 us, now 2.6). What it rejects, as the docstring above admits more, is
    read again with care.
    """
    nonfinite = 0
    try:
        try:
            value = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value, nonfinite = _careful(body)
    except RecursionError:
        return Lifted(Form.BYTES, body)
    except ValueError:
        return None
    # The number of brackets bounds the depth and is almost free to count.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        return Lifted(Form.BYTES, body)
    return Lifted(Form.JSON, value, nonfinite)


def lift_events(body: bytes, folds: Iterable[str]) -> Lifted:
    """A `text/event-stream`, put together by the first of the named folds that knows its events. Never raises."""
    came = events(body)
    chunks = []
    nonfinite = 0
    for event in came:
        lifted = lift_json(event.data.encode("utf-8", "replace"))
        if lifted is None or lifted.form is not Form.JSON:
            chunks.append(Chunk(event.name, event.data))
        else:
            nonfinite += lifted.nonfinite
            chunks.append(Chunk(event.name, lifted.value))
    folded = fold(chunks, folds)
    if is_deeper(folded.value, MAX_DEPTH):
        return Lifted(Form.BYTES, body)
    return Lifted(
        Form.JSON,
        folded.value,
        nonfinite,
        derived=True,
        failed=any(chunk.name == "error" for chunk in chunks),
        stream=Shape.of(came, folded),
    )


def lift_tensors(body: bytes, header_bytes: int) -> Lifted:
    """An answer of the binary tensor extension whose first `header_bytes` are JSON; broken where it is none."""
    header = lift_json(body[:header_bytes])
    value = binary.joined(header.value, body[header_bytes:]) if header is not None else None
    if header is None or value is None:
        return Lifted(Form.BYTES, body, broken=True)
    return Lifted(
        Form.JSON, value, header.nonfinite + _nonfinite(o.get("data") for o in value["outputs"]), derived=True
    )


def with_vectors(lifted: Lifted, path: Path) -> Lifted:
    """The vectors at a path as numbers, where they come in base64."""
    if lifted.form is not Form.JSON or not any(isinstance(found, str) for found in path.values(lifted.value)):
        return lifted
    value = path.replace(lifted.value, embeddings.numbers)
    nonfinite = lifted.nonfinite + _nonfinite(path.values(value))
    return msgspec.structs.replace(lifted, value=value, nonfinite=nonfinite, derived=True)


def _nonfinite(arrays: Iterable[Any]) -> int:
    numbers = chain.from_iterable(flattened(array) for array in arrays if array.__class__ is list)
    return sum(number.__class__ is float and not -_INFINITY < number < _INFINITY for number in numbers)


def may_hold_booleans(lifted: Lifted, body: bytes) -> bool:
    """Whether a body's JSON can hold true or false; that its strings say so is enough."""
    return lifted.derived or b"true" in body or b"false" in body


def write_json(value: Any) -> bytes:
    """A lifted value as JSON that `lift_json` reads as the same value: with NaN, and with every digit.

    orjson would write NaN as null and refuse large integers and lone surrogates, so this is the standard library's.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def is_deeper(value: Any, depth: int) -> bool:
    """Whether containers are nested more than `depth` levels; level by level, so without recursion."""
    level = [value]
    for _ in range(depth + 1):
        level = [container for container in level if container.__class__ in (dict, list) and container]
        if not level:
            return False
        level = [
            child for container in level for child in (container.values() if isinstance(container, dict) else container)
        ]
    return True


def _careful(body: bytes) -> tuple[Any, int]:
    """The value and how many numbers in it are not finite; ValueError, or RecursionError when nested too deep."""
    nonfinite = 0

    def constant(word: str) -> float:
        nonlocal nonfinite
        nonfinite += 1
        return float(word)

    def real(digits: str) -> float:
        number = float(digits)
        return constant(digits) if number in (_INFINITY, -_INFINITY) else number

    def integer(digits: str) -> int | float:
        return int(digits) if len(digits) <= _MAX_DIGITS else real(digits)

    value = json.loads(body.decode("utf-8-sig"), parse_constant=constant, parse_float=real, parse_int=integer)
    return value, nonfinite


_INFINITY = float("inf")
