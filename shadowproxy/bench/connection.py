"""One keep-alive connection of the load: a request out, an answer in, never two at once."""

from __future__ import annotations

import asyncio
from typing import Protocol

import httptools


class Owner(Protocol):
    """Who hears of a connection's life: the open loop, or a test."""

    def answered(self, connection: Connection, due_ns: int, status: int) -> None: ...

    def lost(self, connection: Connection, due_ns: int | None) -> None: ...


class Connection(asyncio.Protocol):
    """`due_ns` is the due time of the request that is owed an answer, or None."""

    __slots__ = ("_owner", "_parser", "_reusable", "_transport", "due_ns")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._reusable = True
        self.due_ns: int | None = None

    def send(self, request: bytes, due_ns: int) -> None:
        assert self._transport is not None
        assert self.due_ns is None
        self.due_ns = due_ns
        self._transport.write(request)

    def close(self) -> None:
        """Ends the connection; what was owed is reported as lost."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        assert self._parser is not None
        status, due_ns = self._parser.get_status_code(), self.due_ns
        if status < 200 or due_ns is None:
            return
        self.due_ns = None
        if not self._parser.should_keep_alive():
            # Reported before the close, so that an answer is never also counted as lost.
            self._reusable = False
            self.close()
        self._owner.answered(self, due_ns, status)

    @property
    def reusable(self) -> bool:
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        due_ns, self.due_ns = self.due_ns, None
        # Parser and protocol hold each other.
        self._parser = None
        self._transport = None
        self._owner.lost(self, due_ns)
