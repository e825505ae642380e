"""In what form a copy leaves: head and body of what one candidate gets, made from what the client sent.

Law: production's request is never touched; a copy is marked, stripped of credentials unless they are forwarded, and
carries a Content-Length of its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from shadowproxy.http1.serialise import copy_head

if TYPE_CHECKING:
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.settings.snapshot import Candidate


class CopyPlan:
    """What is said to one candidate; compiled from its settings once."""

    __slots__ = (
        "_added",
        "_authority",
        "_host",
        "_json",
        "_keep_credentials",
        "_replace",
        "_with",
        "_without",
        "rewrites_body",
    )

    def __init__(self, settings: Candidate, authority: bytes) -> None:
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
        self._json = [(json_keys(path), value) for path, value in settings.json_set]

    def body(self, body: bytes | bytearray) -> bytes | bytearray | None:
        """The body that the candidate gets; None where it cannot be rewritten."""
        if not self._json:
            return body
        try:
            document = orjson.loads(body)
            for keys, value in self._json:
                _set(document, keys, value)
            return orjson.dumps(document)
        except (ValueError, TypeError, KeyError, IndexError):
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
        return common + exchange.forwarded + self._added

    def _head(self, head: RequestHead, body_bytes: int) -> bytes:
        target = head.target
        if self._replace:
            target = target.replace(self._replace, self._with, 1)
        return copy_head(head, target, self._host, self._without, self._keep_credentials, body_bytes)


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


def _set(document: Any, keys: list[str | int], value: Any) -> None:
    for key in keys[:-1]:
        document = document[key]
    if isinstance(document, list) != isinstance(keys[-1], int):
        raise TypeError(f"{keys[-1]!r} is not in {type(document).__name__}")
    document[keys[-1]] = value


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
