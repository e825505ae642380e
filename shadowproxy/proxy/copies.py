"""In what form a copy leaves: head and body of what one candidate gets, made from what the client sent.

Law: production's request is never touched; a copy is marked, stripped of credentials unless they are forwarded, and
carries a Content-Length of its own. It goes on with the client's trace under a parent of its own. A rewritten body
differs from the client's in the places that are named, and in no other byte.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

from shadowproxy.core import jsontext, trace
from shadowproxy.http1.serialise import copy_head

if TYPE_CHECKING:
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.settings.snapshot import Candidate

_PARENT: Final = frozenset({b"traceparent"})
_TRACE: Final = _PARENT | {b"tracestate"}


class CopyPlan:
    """What is said to one candidate; compiled from its settings once."""

    __slots__ = (
        "_added",
        "_authority",
        "_host",
        "_json",
        "_keep_credentials",
        "_replace",
        "_traced",
        "_with",
        "_without",
        "rewrites_body",
    )

    def __init__(self, settings: Candidate, authority: bytes) -> None:
        self._authority = authority
        self._host = {"preserve": b"", "upstream": authority}.get(settings.host, settings.host.encode())
        marks = f"X-Shadow: 1\r\nX-Shadow-Candidate: {settings.name}\r\n"
        given = "".join(f"{name}: {value}\r\n" for name, value in settings.headers_set)
        self._added = f"{marks}{given}\r\n".encode("latin-1")
        own = [name for name, _ in settings.headers_set] + list(settings.headers_remove)
        self._without = frozenset(name.lower().encode() for name in own)
        self._keep_credentials = settings.credentials == "forward"
        self._replace = (settings.path_replace or "").encode()
        self._with = (settings.path_with or "").encode()
        self.rewrites_body = bool(settings.json_set)
        self._json = [(json_keys(path), json.dumps(value, ensure_ascii=False)) for path, value in settings.json_set]
        self._traced = b"traceparent" not in self._without  # unless the settings say what to send, or to send none

    def body(self, body: bytes | bytearray) -> bytes | bytearray | None:
        """The body that the candidate gets; None where it cannot be rewritten."""
        if not self._json:
            return body
        try:
            return jsontext.replaced(body, self._json)
        except jsontext.NotThereError:
            return None

    def head(self, exchange: Exchange, role: int, body_bytes: int) -> bytes:
        """The copy's head; what it has in common with other copies of the same head is made once."""
        plan = exchange.plan
        if body_bytes == plan.head.length:
            common = plan.copies.get(role)
            if common is None:
                common = plan.copies[role] = self._head(plan.head, body_bytes)
        else:
            common = self._head(plan.head, body_bytes)
        if plan.head.traces and self._traced:
            common += _parent(plan.head.traces)
        return common + exchange.forwarded + self._added

    def _head(self, head: RequestHead, body_bytes: int) -> bytes:
        target = head.target
        if self._replace:
            path, mark, query = target.partition(b"?")
            target = path.replace(self._replace, self._with, 1) + mark + query
        without = self._without
        if head.traces and self._traced:
            without = without | (_TRACE if trace.trace_of(head.traces) is None else _PARENT)
        host = self._host if head.host else self._host or self._authority
        return copy_head(head, target, host, without, self._keep_credentials, body_bytes)


def _parent(traces: tuple[bytes, ...]) -> bytes:
    """The line that continues a request's trace, or begins another where its `traceparent` is invalid."""
    known = trace.trace_of(traces) or (b"%032x" % (random.getrandbits(128) or 1), b"00")
    return b"traceparent: " + trace.parent(known, random.getrandbits(64) or 1) + b"\r\n"


def json_keys(path: str) -> list[str | int]:
    """`$.a.b[0]` as its steps: the settings have checked that it is of this form."""
    steps: list[str | int] = []
    for part in path.removeprefix("$").replace("[", ".[").split("."):
        if part.startswith("["):
            inner = part[1:-1]
            steps.append(int(inner) if inner.lstrip("-").isdigit() else inner.strip("'\""))
        elif part:
            steps.append(part)
    return steps


class JsonBody:
    """A JSON body, parsed when it is first asked for a value; None stands for what is not there, or no JSON."""

    __slots__ = ("_body", "_document", "_parsed")

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = body
        self._document: Any = None
        self._parsed = False

    def value(self, path: str) -> Any:
        return self.at(json_keys(path))

    def at(self, keys: list[str | int]) -> Any:
        if not self._parsed:
            self._parsed = True
            with suppress(ValueError):
                self._document = orjson.loads(self._body)
        document = self._document
        try:
            for key in keys:
                document = document[key]
        except (TypeError, KeyError, IndexError):
            return None
        return document
