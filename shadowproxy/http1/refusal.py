"""Refusals: the proxy's own answers, and the closed set of their kinds.

Law: a refusal is raised as `Refused` while bytes are read and becomes exactly one answer, `application/problem+json`
(RFC 9457) with `X-Shadowproxy-Error: KIND`; after it the connection closes, unless the request was read to its end.
"""

from __future__ import annotations

import json
from typing import Final

REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    508: "Loop Detected",
}

KINDS: Final = frozenset(
    {
        "bad_request",
        "body_too_large",
        "client_limit",
        "connect_error",
        "draining",
        "head_too_large",
        "loop",
        "not_implemented",
        "protocol_error",
        "request_timeout",
        "reset",
        "timeout",
        "upstream_busy",
        "upstream_closed",
        "version",
    }
)


class Refused(Exception):
    """A request, or production's answer to it, that cannot be passed on. `detail` is one sentence for the client."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail


def bad_request(detail: str) -> Refused:
    return Refused(400, "bad_request", detail)


def answer(
    status: int, kind: str, detail: str, request_id: bytes = b"", *, close: bool = True, body: bool = True
) -> bytes:
    """The whole answer as bytes; without `body` for HEAD, whose answer has the same head."""
    reason = REASONS[status]
    problem: dict[str, object] = {"type": "about:blank", "title": reason, "status": status, "detail": detail}
    problem["kind"] = kind
    if request_id:
        problem["instance"] = problem["request_id"] = request_id.decode("latin-1")
    content = json.dumps(problem, ensure_ascii=False).encode()
    lines = [
        f"HTTP/1.1 {status} {reason}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(content)}",
        f"X-Shadowproxy-Error: {kind}",
    ]
    if status == 503:
        lines.append("Retry-After: 1")
    if close:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n").encode()
    if request_id:
        head += b"X-Request-ID: " + request_id + b"\r\n"
    return head + b"\r\n" + (content if body else b"")
