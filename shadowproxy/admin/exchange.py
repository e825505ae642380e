"""What a request asks and how it is answered: query parameters and bodies checked, JSON out, revisions as ETags."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import orjson
import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from .problems import Refusal

_Body = TypeVar("_Body")
Reader = Callable[[str], Any]

_TAG: Final = r'(W/)?"[\x21\x23-\x7e]{0,100}"'
IF_MATCH_PATTERN: Final = rf"^(\*|{_TAG}( *, *{_TAG}){{0,9}})$"  # RFC 9110 §13.1.1
WORD_PATTERN: Final = r"^[\x21-\x7e]+$"  # no name, trial or id has anything else
_IF_MATCH: Final = re.compile(IF_MATCH_PATTERN)
_WORD: Final = re.compile(WORD_PATTERN)
ACTOR: Final = "X-Shadowproxy-Actor"  # who changes something, as the client says it; told in the audit
_MAX_ACTOR: Final = 100

_log = structlog.get_logger()


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
    try:
        data = await request.read()
    except (web.RequestPayloadError, ClientPayloadError, HttpProcessingError, ConnectionError) as e:
        _log.info("admin.no_body", path=request.path, client=request.remote, why=type(e).__name__)
        raise Refusal(400, "The body ended early, or is not encoded as its headers say.") from None
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


async def if_match(request: web.Request, in_force: Callable[[], Awaitable[str]]) -> str | None:
    """The revision that must be in force for the change to be made; None: whatever is.

    Of several the one in force now, so that whoever makes the change compares one. A weak tag is never a match.
    """
    given = request.headers.get("If-Match")
    if given is None or given == "*":
        return None
    if not _IF_MATCH.fullmatch(given):
        raise Refusal(400, "If-Match: expected a revision in quotes, as an ETag of this API says it, or *.")
    tags = [tag.strip().strip('"') for tag in given.split(",")]
    if len(tags) == 1:
        return tags[0]
    now = await in_force()
    return now if now in tags else tags[0]


def is_known(request: web.Request, revision: str) -> bool:
    """Whether the client holds this very revision already (RFC 9110 §13.1.2)."""
    given = request.headers.get("If-None-Match", "")
    return any(one.strip().removeprefix("W/") in ("*", f'"{revision}"') for one in given.split(",") if one.strip())


def who(request: web.Request) -> str:
    """Told, not proven: a token says that one may, not who one is."""
    said = "".join(c for c in request.headers.get(ACTOR, "") if c.isprintable())[:_MAX_ACTOR].strip()
    return f"{said or 'api'} ({request.remote or 'unknown'})"
