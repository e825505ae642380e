"""One life: one process from its exec until it is reaped, and what it said on its control socket.

    starting ──Ready──▶ ready ──Drain──▶ draining ──Drained, exit──▶ ended
        └──────────────────┴── exit, kill, or the control socket ends ──▶ ended

A life never comes back: its seat gets a new one (`seat.py`).
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from shadowproxy.wire.messages import (
    Configure,
    Drain,
    Failed,
    Heartbeat,
    MessageError,
    Ready,
    Stats,
    SupervisorInbox,
    ToChild,
    ToSupervisor,
    pack,
)

from .launch import Launcher

WORDS: Final = 500  # characters kept of what a child says of its own failure

OnMessage = Callable[["Life", ToSupervisor], None]


class Life(asyncio.Protocol):
    """Times are the loop's. `generation` is the configuration that the child serves with or is building from."""

    def __init__(self, role: str, slot: int, generation: int, on_message: OnMessage) -> None:
        self.role = role
        self.slot = slot
        self.generation = generation
        self.state = "starting"
        self.boot = 0
        self.stats = Stats()
        self.healthy = True
        self.note = ""
        self.last_words = ""
        self.started_at = asyncio.get_running_loop().time()
        self.beat_at = self.started_at
        self.silent_at: float | None = None  # when the control socket ended
        self._killed_for = ""
        self._drain: Drain | None = None
        self._on_message = on_message
        self._inbox = SupervisorInbox()
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<{self.role} {self.slot} pid={self.pid} {self.state}>"

    async def begin(self, launcher: Launcher, listen: socket.socket, snapshot: bytes, more: Sequence[str]) -> None:
        """Start the process and send its configuration; raises OSError when the system refuses a process."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
            fds = (theirs.fileno(), listen.fileno())
            arguments = ["--slot", str(self.slot), "--control", str(fds[0]), "--listen", str(fds[1]), *more]
            try:
                self._process = launcher.start(self.role, arguments, fds)
            except BaseException:
                self._transport.abort()
                raise
        self.send(Configure(snapshot))
        if self._drain is not None:  # it was dismissed while the socket was being connected
            self.send(self._drain)

    # -- what it says ----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._inbox.feed(data)
        except MessageError as e:
            self.kill(f"it sent no message of ours: {e}")
            return
        for message in messages:
            self._note(message)
            self._on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.silent_at = asyncio.get_running_loop().time()

    def _note(self, message: ToSupervisor) -> None:
        self.beat_at = asyncio.get_running_loop().time()
        if isinstance(message, Heartbeat):
            self.stats, self.healthy, self.note = message.stats, message.healthy, message.note
        elif isinstance(message, Ready):
            self.boot = message.boot
            if self.state == "starting":
                self.state = "ready"
        elif isinstance(message, Failed):
            self.last_words = message.reason[:WORDS]

    # -- what it is told -------------------------------------------------------------------------------------------

    def send(self, message: ToChild) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pack(message))

    def drain(self, delay_s: float, grace_s: float, *, last: bool = False) -> None:
        self.state = "draining"
        self._drain = Drain(delay_s, grace_s, last)
        self.send(self._drain)

    def kill(self, why: str) -> None:
        """SIGKILL, which also ends a stopped process. The end is seen when it is reaped."""
        self._killed_for = self._killed_for or why
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    # -- its end ---------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def killed(self) -> bool:
        return bool(self._killed_for)

    def reap(self) -> int | None:
        """The exit status once the process has ended (negative: the signal), without waiting."""
        status = self._process.poll() if self._process is not None else -signal.SIGKILL
        if status is not None and self._transport is not None:
            self._transport.abort()
        return status

    def wait(self, timeout_s: float) -> bool:
        """Block until the killed process is reaped; False when the system did not end it in time."""
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return False
        self.reap()
        return True

    def obituary(self, status: int) -> str:
        """Why it ended: its own last words where it had any, else how the system saw it."""
        how = f"exit status {status}" if status >= 0 else f"killed by {_signal_name(-status)}"
        if self._killed_for:
            how = self._killed_for
        return f"{self.last_words} ({how})" if self.last_words else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
