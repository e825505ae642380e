"""Keys and slices: where a route's settings point, and the text that is found there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from shadowproxy.compare import compile_path
from shadowproxy.recorder.heads import Field, value_of
from shadowproxy.recorder.redact import CREDENTIALS, Redactor

ID: Final = "id"
KEY_CHARACTERS: Final = 1024  # a longer value is no key
SLICE_CHARACTERS: Final = 200


class Source(NamedTuple):
    """What of a request can be pointed at. Values are those that may be shown, None where there is no JSON."""

    id: str
    fields: list[Field]
    request: Any
    answer: Any


class Extractor(NamedTuple):
    find: Callable[[Source], str | None]
    of_request: bool  # needs the request's JSON
    of_answer: bool


def compile_extractor(where: str, redactor: Redactor) -> Extractor:
    """`where` is id, header:NAME, json:$.path or answer:$.path; ValueError with a sentence for anything else."""
    kind, _, rest = where.partition(":")
    if where == ID:
        return Extractor(lambda source: source.id, False, False)
    if kind == "header" and rest.strip():
        return Extractor(_header(rest.strip().lower(), redactor), False, False)
    if kind in ("json", "answer"):
        path = compile_path(rest)
        if kind == "json":
            return Extractor(lambda source: _text(path.values(source.request)), True, False)
        return Extractor(lambda source: _text(path.values(source.answer)), False, True)
    raise ValueError(f"{where!r}: expected id, header:NAME, json:$.path or answer:$.path")


def _header(key: str, redactor: Redactor) -> Callable[[Source], str | None]:
    if key not in CREDENTIALS:
        return lambda source: value_of(source.fields, key)

    def hashed(source: Source) -> str | None:
        value = value_of(source.fields, key)
        return None if value is None else redactor.token(value)

    return hashed


def _text(found: list[Any]) -> str | None:
    """The first match: a string as it is, anything else as JSON; null and nothing are None."""
    if not found or found[0] is None:
        return None
    value = found[0]
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def key_text(value: str | None) -> str | None:
    """Cut keys would join the wrong labels."""
    return value if value is not None and len(value) <= KEY_CHARACTERS else None


def slice_text(value: str | None) -> str | None:
    return value[:SLICE_CHARACTERS] if value is not None else None
