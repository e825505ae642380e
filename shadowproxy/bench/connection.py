"""One keep-alive connection of the load: a request out, an answer in, never two at once.

Everything here runs once a request; what it costs is measured by `python -m bench generator`.
"""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import Any, Protocol, cast

import httptools


class Owner(Protocol):
    """Who hears of a connection's life: a lane, or a probe."""

    def answered(self, connection: Connection, due_ns: int, now_ns: int, status: int) -> None: ...

    def events(self, due_ns: int, since_ns: int, count: int, *, first: bool) -> None: ...

    def malformed(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection, due_ns: int) -> None: ...


class Connection(asyncio.Protocol):
    """`due_ns` is the due time of the request that is owed an answer, 0 when none is; `sent_ns` when it was written."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._write: Any = None
        self._transport: asyncio.Transport | None = None
        self._reusable = True
        self.due_ns = 0
        self.sent_ns = 0

    def send(self, request: bytes, due_ns: int, now_ns: int) -> None:
        self.due_ns = due_ns
        self.sent_ns = now_ns
        self._write(request)

    def abort(self) -> None:
        """Ends the connection; what was owed is reported as lost."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_usable(self) -> bool:
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    # -- asyncio's callbacks ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._transport = transport
        self._write = transport.write

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._owner.malformed(self)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        due_ns, self.due_ns = self.due_ns, 0
        self._transport = None
        self._owner.lost(self, due_ns)
        # Parser and protocol hold each other.
        del self._parser

    # -- httptools' callbacks --------------------------------------------------------------------------------------

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200 and self.due_ns:
            self._done(monotonic_ns())

    def _done(self, now_ns: int) -> None:
        due_ns, self.due_ns = self.due_ns, 0
        parser = self._parser
        if not parser.should_keep_alive():
            # Noted before the close, so that an answer is never also counted as lost.
            self._reusable = False
        self._owner.answered(self, due_ns, now_ns, parser.get_status_code())
        if not self._reusable:
            self.abort()


class Headless(Connection):
    """For HEAD: the answer ends with its head, whatever length that promises."""

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() >= 200 and self.due_ns:
            self._done(monotonic_ns())

    def on_message_complete(self) -> None:
        pass

    def send(self, request: bytes, due_ns: int, now_ns: int) -> None:
        # The parser still waits for the last answer's body.
        self._parser = httptools.HttpResponseParser(self)
        super().send(request, due_ns, now_ns)


class Streaming(Connection):
    """For server-sent events: when the first came, and how long after each the next did.

    An event is a block of lines with data in it that ends in an empty line (https://html.spec.whatwg.org, 9.2.6);
    blocks of comments keep a connection alive and count for nothing. Events that arrive together have no gap.
    """

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner)
        self._tail = b""
        self._last_ns = 0

    def send(self, request: bytes, due_ns: int, now_ns: int) -> None:
        self._tail, self._last_ns = b"", 0
        super().send(request, due_ns, now_ns)

    def on_body(self, body: bytes) -> None:
        *blocks, self._tail = (self._tail + body).replace(b"\r\n", b"\n").split(b"\n\n")
        # A trailing CR belongs to a line end whose LF is still to come.
        events = sum(block.startswith(b"data") or b"\ndata" in block for block in blocks)
        if events and self.due_ns:
            now_ns = monotonic_ns()
            since_ns = now_ns - (self._last_ns or self.due_ns)
            self._owner.events(self.due_ns, since_ns, events, first=not self._last_ns)
            self._last_ns = now_ns


class Unbounded(Connection):
    """For answers without a length, which end with their connection."""

    def eof_received(self) -> None:
        # llhttp takes the end of a connection for nothing; whether the answer was whole nobody can tell.
        if self.due_ns and self._parser.get_status_code() >= 200:
            self._reusable = False
            self._done(monotonic_ns())
