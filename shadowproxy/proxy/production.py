"""Production: its addresses in turn, passive health, a bounded number of connections and a bounded line before them.

Law: an exchange that asks for a connection is answered exactly once, at once or later: with a connection, or with why
there is none. A URL at which nothing answered is passed over for a second while another one is left.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from shadowproxy.http1.answer import AnswerHead
from shadowproxy.proxy.counters import Histogram
from shadowproxy.proxy.pool import Address, Pool
from shadowproxy.proxy.upstream import ENDED, HEAD, IDLE, TUNNEL, UpstreamConnection

if TYPE_CHECKING:
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.proxy.timers import Timers
    from shadowproxy.proxy.tunnel import Tunnel
    from shadowproxy.settings.snapshot import Production as ProductionSettings

DOWN_NS: Final = 1_000_000_000


class ProductionConnection(UpstreamConnection, asyncio.Protocol):
    """Hands everything to the exchange that uses it."""

    def __init__(self, pool: Pool[ProductionConnection]) -> None:
        super().__init__(pool)
        self.exchange: Exchange | None = None
        self.tunnel: Tunnel | None = None

    def serve(self, exchange: Exchange, head_request: bool) -> None:
        """The exchange's request is about to be written: its answer is due."""
        self.exchange = exchange
        self.state = HEAD
        self.uses += 1
        self._interim = 0
        self._head_request = head_request

    def whole(self, head: AnswerHead, body: bytes) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.answer_whole(head, body)

    def began(self, head: AnswerHead, more: bool) -> None:
        if self.exchange is not None:
            self.exchange.answer_began(head, more)

    def caught_up(self) -> None:
        if self.exchange is not None:
            self.exchange.flush_head()

    def interim(self, head: AnswerHead) -> None:
        if self.exchange is not None:
            self.exchange.answer_interim(head)

    def pieces(self, pieces: list[bytes]) -> None:
        if self.exchange is not None:
            self.exchange.answer_pieces(pieces)

    def ended(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if self.exchange is not None:
            self.exchange.answer_ended(trailers)

    def failed(self, code: int, kind: str, detail: str) -> None:
        if self.exchange is not None:
            self.exchange.production_failed(code, kind, detail)

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.production_full()
        elif self.tunnel is not None:
            self.tunnel.production_full()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.production_drained()
        elif self.tunnel is not None:
            self.tunnel.production_drained()

    def expired(self) -> None:
        if self.exchange is not None:
            self.exchange.production_slow()
        elif self.tunnel is not None:
            self.tunnel.idle()
        else:
            self.give_up()

    def open_tunnel(self, tunnel: Tunnel) -> None:
        self.exchange = None
        self.tunnel = tunnel
        self.state = TUNNEL
        self.reusable = False

    def tunnelled(self, data: bytes) -> None:
        if self.tunnel is not None:
            self.tunnel.from_production(data)

    def tunnel_over(self) -> None:
        tunnel, self.tunnel = self.tunnel, None
        if tunnel is not None:
            tunnel.production_ended()

    def end_tunnel(self) -> None:
        """The client has gone: send what is buffered, then close."""
        self.tunnel = None
        self.state = ENDED
        self.deadline = 0
        self.transport.close()

    def release(self, now: int) -> None:
        """The exchange ended and production's answer is whole."""
        self.exchange = None
        self.deadline = 0
        if self.state == IDLE and self.reusable:
            self.pool.give_back(self, now)
        else:
            self.give_up()

    def drop(self) -> None:
        """The exchange wants nothing more from here, and no later request may either."""
        self.exchange = None
        self.tunnel = None
        self.give_up()


class Endpoint:
    """One production URL."""

    __slots__ = ("down_until_ns", "pool")

    def __init__(self, pool: Pool[ProductionConnection]) -> None:
        self.pool = pool
        self.down_until_ns = 0


class Waiting:
    """An exchange in the line for a connection."""

    __slots__ = ("armed", "deadline", "exchange", "line")

    def __init__(self, exchange: Exchange, line: Production) -> None:
        self.exchange: Exchange | None = exchange
        self.line = line
        self.deadline = 0
        self.armed = 0

    def expired(self) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            self.line.waiting.remove(self)
            exchange.no_connection(0, "upstream_busy", "All connections to production are in use.")


class Production:
    """`limit` is this worker's share of `production.connections`."""

    def __init__(
        self,
        settings: ProductionSettings,
        limit: int,
        timers: Timers,
        tls: ssl.SSLContext | None,
        first: int,
    ) -> None:
        self.settings = settings
        self.timers = timers
        self.waiting: deque[Waiting] = deque()
        self.durations = Histogram()
        self._limit = limit
        self._next = first
        self.endpoints = [
            Endpoint(
                Pool(
                    Address.of(url),
                    ProductionConnection,
                    limit=limit,
                    connect_s=settings.timeouts.connect,
                    keep_alive_s=settings.keep_alive,
                    max_age_s=settings.max_age,
                    tls=tls if url.startswith("https:") else None,
                    server_name=settings.tls.server_name,
                )
            )
            for url in settings.urls
        ]

    @property
    def open(self) -> int:
        return sum(endpoint.pool.open for endpoint in self.endpoints)

    def is_usable(self) -> bool:
        """Whether any URL is not known to be down."""
        now = perf_counter_ns()
        return any(endpoint.down_until_ns <= now for endpoint in self.endpoints)

    def endpoint(self, tried: int = 0) -> Endpoint:
        """The next URL in turn that is not down; all of them in turn where all are."""
        endpoints = self.endpoints
        if len(endpoints) == 1:
            return endpoints[0]
        now = perf_counter_ns()
        for _ in endpoints:
            self._next = (self._next + 1) % len(endpoints)
            if endpoints[self._next].down_until_ns <= now:
                return endpoints[self._next]
        self._next = (self._next + 1) % len(endpoints)
        return endpoints[self._next]

    def take(self, exchange: Exchange, now: int) -> ProductionConnection | None:
        """An idle connection at once; else None, and `connection_made` or `no_connection` of the exchange follows."""
        endpoint = exchange.endpoint = self.endpoint()
        connection = endpoint.pool.take(now)
        if connection is None:
            self.connect(exchange, endpoint)
        return connection

    def connect(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """A fresh connection, now or when there is room."""
        if self._has_room(endpoint):
            self._dial(exchange, endpoint)
        elif len(self.waiting) < self._limit:
            waiting = Waiting(exchange, self)
            self.waiting.append(waiting)
            self._listen(self._place_is_free)
            self.timers.arm(waiting, round(self.settings.timeouts.connect * 1e9))
        else:
            exchange.no_connection(0, "upstream_busy", "All connections to production are in use.")

    def _has_room(self, endpoint: Endpoint) -> bool:
        """Idle connections to other URLs give way."""
        if self.open < self._limit:
            return True
        for other in self.endpoints:
            if other is not endpoint and other.pool.idle:
                other.pool.idle.pop(0).give_up()
        return self.open < self._limit

    def _dial(self, exchange: Exchange, endpoint: Endpoint) -> None:
        def made(connection: ProductionConnection) -> None:
            endpoint.down_until_ns = 0
            exchange.dialing = None
            exchange.connection_made(connection)

        def failed(code: int, kind: str, detail: str) -> None:
            endpoint.down_until_ns = perf_counter_ns() + DOWN_NS
            exchange.dialing = None
            exchange.no_connection(code, kind, detail)

        exchange.dialing = endpoint.pool.connect(made, failed)

    def leave(self, exchange: Exchange) -> None:
        """The exchange no longer wants a connection."""
        if exchange.dialing is not None:
            task: asyncio.Task[None] = exchange.dialing
            exchange.dialing = None
            task.cancel()
            return
        for waiting in self.waiting:
            if waiting.exchange is exchange:
                waiting.exchange = None
                waiting.deadline = 0
                self.waiting.remove(waiting)
                return

    def _listen(self, on_free: Callable[[], None] | None) -> None:
        """Pools say that a place is free only while somebody waits for one: it costs a call each time."""
        for endpoint in self.endpoints:
            endpoint.pool.on_free = on_free

    def _place_is_free(self) -> None:
        while self.waiting:
            waiting = self.waiting[0]
            exchange = waiting.exchange
            if exchange is None:
                self.waiting.popleft()
                continue
            endpoint = exchange.endpoint
            assert endpoint is not None
            connection = endpoint.pool.take(perf_counter_ns())
            if connection is None and not self._has_room(endpoint):
                return
            self.waiting.popleft()
            waiting.exchange = None
            waiting.deadline = 0
            if connection is not None:
                exchange.connection_made(connection)
            else:
                self._dial(exchange, endpoint)
        self._listen(None)

    def sweep(self) -> None:
        for endpoint in self.endpoints:
            endpoint.pool.sweep()

    def close(self) -> None:
        for endpoint in self.endpoints:
            endpoint.pool.close()
