"""Errors of the admin API: `application/problem+json` (RFC 9457), for what we refuse and for what aiohttp refuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

MEDIA_TYPE = "application/problem+json"


class Refusal(Exception):
    """Ends a request with a problem; raised by whoever finds the fault."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.more = more

    def response(self) -> web.Response:
        return problem(self.status, str(self), self.headers, **self.more)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    """`detail` is one sentence; `more` are members of the problem's own, such as `reasons`."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return web.Response(status=status, body=orjson.dumps(body), content_type=MEDIA_TYPE, headers=headers)


def of_refusal(error: web.HTTPException, request: web.BaseRequest) -> web.Response:
    """What the router or the body reader raised, in our form; an Allow header is kept (RFC 9110 §15.5.6)."""
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return problem(error.status, _DETAILS.get(error.status, "{reason}.").format(**_words(error, request)), headers)


_DETAILS = {
    404: "There is nothing at {path}.",
    405: "{path} does not take {method}; it takes {allow}.",
    413: "The request's body is longer than this API takes.",
    415: "The request's body is to be application/json.",
    417: "Nothing but 100-continue is expected of this API.",
}


def _words(error: web.HTTPException, request: web.BaseRequest) -> dict[str, str]:
    allow = ", ".join(sorted(error.allowed_methods)) if isinstance(error, web.HTTPMethodNotAllowed) else ""
    return {"path": request.path, "method": request.method, "allow": allow, "reason": error.reason}
