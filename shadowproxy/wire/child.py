"""A child's end of the control socket, for the asyncio programs that the supervisor starts: worker, recorder, admin.

A child's life: `ignore_signals()` before anything else, `connect()`, a Configure arrives, the child builds itself and
calls `ready()`; from then on a Heartbeat each second. When the socket ends for whatever reason (the supervisor died,
the peer sent nonsense, our own callback raised), `on_orphaned` is called once: the child drains by itself and exits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

from .messages import ChildInbox, Heartbeat, Ready, Stats, ToChild, ToSupervisor, pack

HEARTBEAT_S: Final = 1.0
MAX_UNSENT: Final = 1 << 20  # bytes; heartbeats carry totals, so one that is not sent is made good by the next

COMMANDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the supervisor's to act on, by messages to us


def ignore_signals() -> None:
    """A signal to the whole process group is the supervisor's alone.

    The supervisor blocks these signals while it starts a child, so that none arrives before this call; one that was
    sent meanwhile is discarded here.
    """
    for number in (*COMMANDED, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, COMMANDED)


class Child:
    """Messages in by callback, messages out by `send`; `boot` (ms since 1970) and (role, slot) name this life."""

    def __init__(
        self,
        control_fd: int,
        role: str,
        slot: int,
        on_message: Callable[[ToChild], None],
        on_orphaned: Callable[[], None],
    ) -> None:
        self.role = role
        self.slot = slot
        self.boot = time.time_ns() // 1_000_000
        self._fd = control_fd
        self._on_orphaned = on_orphaned
        self._protocol = _Control(on_message, self._ended)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_beat = Heartbeat(Stats())
        self._closing = False
        self._closed = asyncio.Event()

    async def connect(self) -> None:
        """Take over the descriptor; messages may arrive at the callback before this returns."""
        sock = socket.socket(fileno=self._fd)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_unix_connection(lambda: self._protocol, sock=sock)

    def send(self, message: ToSupervisor) -> None:
        """Never blocks; after the end of the socket it does nothing."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pack(message))

    def ready(self) -> None:
        self.send(Ready(pid=os.getpid(), role=self.role, slot=self.slot, boot=self.boot))

    def start_heartbeat(self, stats: Callable[[], Heartbeat]) -> None:
        """Send what `stats` returns now and each second until `close`."""
        if self._timer is not None:
            self._timer.cancel()
        self._beat(stats)

    def close(self) -> None:
        """Send what is still buffered and end the socket; `on_orphaned` is not called. See `wait_closed`."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is None:
            self._closed.set()
        else:
            self._transport.close()

    async def wait_closed(self) -> None:
        """Until the socket has ended: after `close`, everything sent has left the process."""
        await self._closed.wait()

    def _beat(self, stats: Callable[[], Heartbeat]) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HEARTBEAT_S, self._beat, stats)
        try:
            self._last_beat = stats()
        except Exception as e:  # noqa: BLE001 - a fault in counting must not make a process that serves look hung
            loop.call_exception_handler({"message": f"{self.role} {self.slot} could not count", "exception": e})
        if self._transport is not None and self._transport.get_write_buffer_size() < MAX_UNSENT:
            self.send(self._last_beat)

    def _ended(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._closed.set()
        if not self._closing:
            self._closing = True
            self._on_orphaned()


class _Control(asyncio.Protocol):
    """Bytes to messages. An exception from here (MessageError, or the callback's own) makes the loop end the socket."""

    def __init__(self, on_message: Callable[[ToChild], None], on_end: Callable[[], None]) -> None:
        self._inbox = ChildInbox()
        self._on_message = on_message
        self._on_end = on_end

    def data_received(self, data: bytes) -> None:
        for message in self._inbox.feed(data):
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()
