"""Requests that production gets changed: a promoted candidate is spoken to as it was while it was tested.

Law: without a setting that says so, not a byte is touched and nothing here runs. A body is rewritten only as a whole,
so such a request leaves once its body has come; a body that cannot be rewritten leaves as it is.
"""

from __future__ import annotations

import json
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from shadowproxy.core import jsontext
from shadowproxy.proxy.copies import json_keys
from shadowproxy.proxy.exchange import Exchange

if TYPE_CHECKING:
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.settings.snapshot import Production

LONGEST_BODY: Final = 16 << 20  # bytes; a longer one is refused (413) where bodies are rewritten

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


class Rewrite:
    """What is changed on the way to production; compiled from its settings once."""

    __slots__ = ("_json", "_replace", "_set", "_with", "_without", "rewrites_body")

    def __init__(self, settings: Production) -> None:
        self._set = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in settings.headers_set)
        own = [name for name, _ in settings.headers_set] + list(settings.headers_remove)
        self._without = frozenset(name.lower().encode() for name in own)
        self._replace = (settings.path_replace or "").encode()
        self._with = (settings.path_with or "").encode()
        self._json = [(json_keys(path), json.dumps(value, ensure_ascii=False)) for path, value in settings.json_set]
        self.rewrites_body = bool(self._json)

    def head(self, request: bytes, head: RequestHead) -> bytes:
        """The request's lines, without the framing where the body's length will be another one."""
        without = self._without | _FRAMING if self.rewrites_body and has_body(head) else self._without
        first, *lines = request.split(b"\r\n")[:-1]
        if self._replace:
            method, target, version = first.split(b" ")
            path, mark, query = target.partition(b"?")
            first = b" ".join((method, path.replace(self._replace, self._with, 1) + mark + query, version))
        kept = [line for line in lines if line[: line.find(b":")].lower() not in without]
        return b"\r\n".join((first, *kept, self._set))

    def body(self, body: bytes) -> bytes:
        try:
            return bytes(jsontext.replaced(body, self._json))
        except jsontext.NotThereError:
            return body


def rewrite_of(settings: Production) -> Rewrite | None:
    changes = (settings.headers_set, settings.headers_remove, settings.json_set, settings.path_replace)
    return Rewrite(settings) if any(changes) else None


def has_body(head: RequestHead) -> bool:
    return bool(head.chunked or head.length)


class RewritingExchange(Exchange):
    """Holds a request until its body is whole, and begins then."""

    __slots__ = ("_held",)

    def start(self, body: bytes, wire: bytes, complete: bool) -> None:
        self._held: bytearray | None = None
        if complete or not has_body(self.head):
            self._begin(body, wire)
        else:
            if self.head.via:
                self._refuse_loops()  # now, while a refusal is still an answer
            self._held = bytearray(body)
            self.start_ns = perf_counter_ns()

    def _begin(self, body: bytes, wire: bytes) -> None:
        rewrite = self.runtime.rewrite
        if rewrite is not None and has_body(self.head):
            wire = rewrite.body(body)
            self.plan = self.plan.adding(b"Content-Length: %d\r\n" % len(wire))
        super().start(body, wire, True)

    def body_pieces(self, pieces: list[bytes]) -> None:
        if self._held is None:
            super().body_pieces(pieces)
        else:
            for piece in pieces:
                self._held += piece

    def body_complete(self, trailers: list[tuple[bytes, bytes]]) -> None:
        held, self._held = self._held, None
        if held is None:
            super().body_complete(trailers)
        elif not self.done:
            body = bytes(held)
            self._begin(body, body)
