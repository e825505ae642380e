"""The connections to one upstream address: idle ones to be used again, and how new ones are made.

Law: `open` counts every connection from the moment it is wished for until it is lost, and never exceeds `limit`.
Nobody is asked to wait here: `take` answers at once, `connect` calls back.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from shadowproxy.core import outcome as o
from shadowproxy.proxy.heads import AnswerHeads

if TYPE_CHECKING:
    from shadowproxy.proxy.upstream import UpstreamConnection

RESOLVE_S: Final = 10.0

Connection = TypeVar("Connection", bound="UpstreamConnection")

_REFUSALS: Final = (OSError, ssl.SSLError, TimeoutError, ValueError)  # ValueError: a name that is no host's


class Address(NamedTuple):
    host: str
    port: int
    tls: bool
    authority: bytes  # as a Host field says it

    @classmethod
    def of(cls, url: str) -> Address:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        host = parts.hostname or ""
        port = parts.port or (443 if tls else 80)
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port == (443 if tls else 80) else f"{shown}:{port}"
        return cls(host, port, tls, authority.encode("idna") if not authority.isascii() else authority.encode())


class Pool(Generic[Connection]):
    def __init__(
        self,
        address: Address,
        factory: Callable[[Pool[Any]], Connection],
        *,
        limit: int,
        connect_s: float,
        keep_alive_s: float,
        max_age_s: float,
        tls: ssl.SSLContext | None,
        server_name: str | None,
        receive_buffer: int = 0,
    ) -> None:
        self.address = address
        self.limit = limit
        self.connect_s = connect_s
        self.open = 0
        self.idle: list[Connection] = []
        self.heads = AnswerHeads()
        self._factory = factory
        self._keep_alive_ns = round(keep_alive_s * 1e9)
        self._max_age_ns = round(max_age_s * 1e9)
        self.tls = tls  # a reload may put another in its place
        self._server_name = server_name or (address.host if address.tls else None)
        self._receive_buffer = receive_buffer
        self._tasks: set[asyncio.Task[None]] = set()
        self._resolved: list[tuple[int, tuple[object, ...]]] = []
        self._resolved_at = 0.0
        self._next = 0
        self._closed = False
        self.on_free: Callable[[], None] | None = None  # a place became free

    # -- idle connections --------------------------------------------------------------------------------------------

    def take(self, now: int) -> Connection | None:
        """An idle connection that is young enough and that the kernel says nothing about; the last used first."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if (
                connection.reusable
                and now - connection.idle_since_ns < self._keep_alive_ns
                and now - connection.born_ns < self._max_age_ns
                and (poll := connection.poll) is not None
                and not poll(0)  # as is_quiet, without a call
            ):
                return connection
            connection.give_up()
        return None

    def give_back(self, connection: Connection, now: int) -> None:
        """The exchange ended well; the connection is kept if it may be used again."""
        if connection.reusable and not connection.closed and not self._closed:
            connection.idle_since_ns = now
            self.idle.append(connection)
            if self.on_free is not None:
                self.on_free()
        else:
            connection.give_up()

    def lost(self, connection: Connection) -> None:
        self.open -= 1
        with suppress(ValueError):
            self.idle.remove(connection)
        if self.on_free is not None:
            self.on_free()

    def sweep(self) -> None:
        """Close idle connections that are too old to be used again."""
        now = perf_counter_ns()
        old = [c for c in self.idle if now - c.idle_since_ns >= self._keep_alive_ns]
        for connection in old:
            self.idle.remove(connection)
            connection.give_up()

    def close(self) -> None:
        """No new request goes here: idle connections end now, those in use or being made when they are given back."""
        self._closed = True
        for connection in self.idle:
            connection.give_up()
        self.idle.clear()

    # -- new connections ---------------------------------------------------------------------------------------------

    def has_room(self) -> bool:
        return self.open < self.limit

    def connect(
        self, made: Callable[[Connection], None], failed: Callable[[int, str, str], None]
    ) -> asyncio.Task[None]:
        """Exactly one of the callbacks is called, unless the task is cancelled. `failed`: outcome, kind, sentence."""
        self.open += 1
        connection = self._factory(self)
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._connect(connection, made, failed), name=f"connect {self.address.host}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, connection))
        return task

    def _ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        """Of a cancelled attempt the place is given back here: a task that is cancelled before its first step runs
        nothing of its own (test_an_attempt_that_is_cancelled_before_its_first_step_gives_its_place_back).
        """
        self._tasks.discard(task)
        if task.cancelled():
            self._not_opened(connection)

    async def _connect(
        self, connection: Connection, made: Callable[[Connection], None], failed: Callable[[int, str, str], None]
    ) -> None:
        try:
            async with asyncio.timeout(self.connect_s):
                await self._open(connection)
        except _REFUSALS as e:
            self._not_opened(connection)
            failed(*_blame(e, self.address))
            return
        except Exception:
            self._not_opened(connection)
            raise
        connection.born_ns = perf_counter_ns()
        made(connection)

    def _not_opened(self, connection: Connection) -> None:
        """Give the place back here: connection_lost does not follow, not even where an attempt is cancelled just after
        connection_made, for uvloop closes such a transport without a word.
        """
        if not connection.is_made():
            self.lost(connection)
        elif not connection.closed:
            connection.give_up()
            connection.connection_lost(None)

    async def _open(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        sock = await self._dial(loop)
        try:
            if self.tls is None:
                await loop.create_connection(lambda: connection, sock=sock)
            else:
                await loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=self.tls,
                    server_hostname=self._server_name,
                    ssl_handshake_timeout=self.connect_s,
                    ssl_shutdown_timeout=2.0,
                )
        except BaseException:
            sock.close()
            raise

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A connected socket, from the first of the addresses that answers; each call begins with the next one."""
        addresses = await self._addresses(loop)
        self._next += 1
        error: OSError | None = None
        for turn in range(len(addresses)):
            family, address = addresses[(self._next + turn) % len(addresses)]
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._receive_buffer:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
                await loop.sock_connect(sock, address)
                return sock
            except OSError as e:
                sock.close()
                error = e
            except BaseException:
                sock.close()
                raise
        raise error or OSError(f"{self.address.host} has no address")

    async def _addresses(self, loop: asyncio.AbstractEventLoop) -> list[tuple[int, tuple[object, ...]]]:
        """Names are resolved anew each 10 s, in the background; the last good answer is kept where that fails."""
        if not self._resolved:
            await self._resolve(loop)
        elif loop.time() - self._resolved_at >= RESOLVE_S:
            self._resolved_at = loop.time()
            task = loop.create_task(self._resolve_again(loop), name=f"resolve {self.address.host}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._resolved

    async def _resolve(self, loop: asyncio.AbstractEventLoop) -> None:
        found = await loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
        self._resolved = [(family, address) for family, _, _, _, address in found]
        self._resolved_at = loop.time()

    async def _resolve_again(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(OSError):
            await self._resolve(loop)


def _blame(error: BaseException, address: Address) -> tuple[int, str, str]:
    where = f"{address.host}:{address.port}"
    if isinstance(error, ssl.SSLError):
        return o.CONNECT_ERROR, "connect_error", f"TLS with {where} failed: {getattr(error, 'reason', None) or error}."
    if isinstance(error, TimeoutError):
        return o.CONNECT_ERROR, "timeout", f"{where} did not accept the connection in time."
    reason = getattr(error, "strerror", None) or str(error)
    return o.CONNECT_ERROR, "connect_error", f"Nothing answers at {where}: {reason}."
