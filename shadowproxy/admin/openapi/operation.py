"""What every operation has: parameters, answers, and the problems that it may end in."""

from __future__ import annotations

from typing import Any, Final

from ..exchange import IF_MATCH_PATTERN, WORD_PATTERN
from .schema import JSON, TEXT, Schema, ref

_PROBLEMS: Final = {
    400: "A query parameter is unknown, repeated or faulty, or the body is no JSON.",
    401: "The token is missing or wrong.",
    403: "The Host header names no address of ours, or the Origin header another site.",
    404: "There is no such candidate, pair or trial.",
    409: "It does not fit what is in force, or a process could not follow; nothing has changed.",
    412: "`If-Match` names a revision that is no longer in force; nothing has changed.",
    413: "The body is too long.",
    415: "The body is no application/json.",
    422: "The body is JSON, and not what is expected.",
    503: "The supervisor, or the process that reads the log, does not answer in time.",
}
_READING: Final = (400, 401, 403, 503)
_CHANGING: Final = (400, 401, 403, 409, 412, 413, 415, 422, 503)


def problems(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {str(status): {"description": _PROBLEMS[status], "content": content} for status in sorted(set(statuses))}


REVISION: Final = {"ETag": {"description": "The revision in force.", "schema": TEXT}}


def answered(description: str, schema: Schema, media: str = JSON, *, revision: bool = False) -> dict[str, Any]:
    return {
        "description": description,
        "content": {media: {"schema": schema}},
        **({"headers": REVISION} if revision else {}),
    }


def query_parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


WORD: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": WORD_PATTERN}
NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "A candidate's name.",
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*$"},
}
IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "A revision: the change is made only if that is still in force.",
    "schema": {"type": "string", "pattern": IF_MATCH_PATTERN},
}
ACTOR: Final = {
    "name": "X-Shadowproxy-Actor",
    "in": "header",
    "required": False,
    "description": "Who makes the change, for the audit.",
    "schema": TEXT,
}
KNOWN: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "A revision that the client holds.",
    "schema": TEXT,
}


def reading(
    summary: str, said: dict[str, Any], *parameters: dict[str, Any], also: tuple[int, ...] = ()
) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": said, **problems(*_READING, *also)},
    }


def changing(
    summary: str,
    said: dict[str, Any],
    body: str | None,
    *parameters: dict[str, Any],
    status: int = 200,
    is_required: bool = False,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [*parameters, IF_MATCH, ACTOR],
        "responses": {str(status): said, **problems(*_CHANGING, 404)},
    }
    if body is not None:
        operation["requestBody"] = {"required": is_required, "content": {JSON: {"schema": ref(body)}}}
    return operation


UNCHANGED: Final = {"304": {"description": "The client holds this revision already.", "headers": REVISION}}


def also_answered(operation: dict[str, Any], responses: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "responses": {**operation["responses"], **responses}}


def probing(summary: str, *statuses: int) -> dict[str, Any]:
    said = {"200": answered("It does.", TEXT, "text/plain"), **problems(403, *statuses)}
    return {"summary": summary, "security": [], "responses": said}
