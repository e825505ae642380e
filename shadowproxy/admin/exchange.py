"""What a request asks and how it is answered: query parameters and bodies checked, JSON out, revisions as ETags."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import orjson
from aiohttp import web

from .problems import Refusal

_Body = TypeVar("_Body")
Reader = Callable[[str], Any]

REVISION_PATTERN: Final = r'^("[0-9a-f]{1,16}-[0-9]{1,9}"|\*)$'
WORD_PATTERN: Final = r"^[\x21-\x7e]+$"  # no name, trial or id has anything else
_REVISION: Final = re.compile(r'"[0-9a-f]{1,16}-[0-9]{1,9}"')
_WORD: Final = re.compile(WORD_PATTERN)
ACTOR: Final = "X-Shadowproxy-Actor"  # who changes something, as the client says it; told in the audit
_MAX_ACTOR: Final = 100


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(status=status, body=data, content_type="application/json", headers=headers)


def listed(items: list[Any], next_: str | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    return answer({"items": items, "next": next_}, headers=headers)


# -- what is asked -----------------------------------------------------------------------------------------------------


def query(request: web.Request, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The query's parameters by name, read; unknown, repeated and faulty ones are refused, as keys of a file are."""
    found: dict[str, Any] = {}
    for name, text in request.query.items():
        if name not in readers:
            raise Refusal(400, f"There is no query parameter {name!r}; there are {', '.join(readers) or 'none'}.")
        if name in found:
            raise Refusal(400, f"Expected the query parameter {name} once.")
        try:
            found[name] = readers[name](text)
        except ValueError as e:
            raise Refusal(400, f"{name}: {e}.") from None
    return found


def text(value: str) -> str:
    if len(value) > 200 or not _WORD.fullmatch(value):
        raise ValueError("expected 1 to 200 letters, digits and signs of ASCII")
    return value


def one_of(*words: str) -> Reader:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f"expected {' or '.join(words)}")
        return value

    return read


def switch(value: str) -> bool:
    return bool(one_of("true", "false")(value) == "true")


def whole(low: int, high: int) -> Reader:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 10 and low <= int(value) <= high):
            raise ValueError(f"expected a whole number in {low}–{high}")
        return int(value)

    return read


async def tree_of(request: web.Request) -> Any:
    """The JSON of the body; without a body, an empty object."""
    data = await request.read()
    if not data:
        return {}
    if request.content_type != "application/json":
        raise Refusal(415, "The request's body is to be application/json.")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as e:
        raise Refusal(400, f"The body is no JSON: {e}.") from None


async def body_of(request: web.Request, kind: type[_Body]) -> _Body:
    tree = await tree_of(request)
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as e:
        raise Refusal(422, f"{e}.") from None


# -- revisions ---------------------------------------------------------------------------------------------------------


def etag(revision: str) -> dict[str, str]:
    return {"ETag": f'"{revision}"'}


def if_match(request: web.Request) -> str | None:
    """The revision that must be in force for the change to be made; None: whatever is."""
    given = request.headers.get("If-Match")
    if given is None or given == "*":
        return None
    if not _REVISION.fullmatch(given):
        raise Refusal(400, "If-Match: expected one revision in quotes, as an ETag of this API says it, or *.")
    return given.strip('"')


def is_known(request: web.Request, revision: str) -> bool:
    """Whether the client holds this very revision already (RFC 9110 §13.1.2)."""
    given = request.headers.get("If-None-Match", "")
    return any(one.strip().removeprefix("W/") in ("*", f'"{revision}"') for one in given.split(",") if one.strip())


def who(request: web.Request) -> str:
    """Told, not proven: a token says that one may, not who one is."""
    said = "".join(c for c in request.headers.get(ACTOR, "") if c.isprintable())[:_MAX_ACTOR].strip()
    return f"{said or 'api'} ({request.remote or 'unknown'})"
