"""The admin process's life: start → serve → drain → stop.

It takes its configuration and its end from the supervisor. Without a supervisor it says "not ready" for the drain's
delay, so that nobody sends requests to workers that are leaving, and ends.
"""

from __future__ import annotations

import asyncio
import socket

import structlog

from shadowproxy import logs
from shadowproxy.settings.snapshot import Snapshot, decode
from shadowproxy.wire.child import Child
from shadowproxy.wire.messages import (
    Abort,
    Answer,
    Commit,
    Configure,
    Drain,
    Drained,
    Heartbeat,
    Prepare,
    Prepared,
    Stop,
    ToChild,
)

from .app import build
from .asking import Asker
from .background import Background
from .port import Port
from .rollout import Rollout
from .view import View

_log = structlog.get_logger()


class AdminProcess:
    def __init__(self, control_fd: int, slot: int, listen_fd: int) -> None:
        self._listen = socket.socket(fileno=listen_fd)
        self._child = Child(control_fd, "admin", slot, self._told, self._orphaned)
        self._asker = Asker(self._child.send)
        # None: told to end before it was told how to begin.
        self._configured: asyncio.Future[Snapshot | None] = asyncio.get_running_loop().create_future()
        self._view: View | None = None
        self._prepared: tuple[int, Snapshot] | None = None
        self._end: asyncio.Future[Drain] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        await self._child.connect()
        snapshot = await self._configured
        if snapshot is not None:
            await self._serve(snapshot)
        self._child.send(Drained())
        self._child.close()
        await self._child.wait_closed()
        return 0

    async def _serve(self, snapshot: Snapshot) -> None:
        logs.configure(snapshot.log_format, snapshot.logs, process="admin")
        self._view = View(snapshot, self._asker)
        port = Port(build(self._view), self._listen)
        await port.open()
        self._view.verdicts.start()
        background = Background(self._view)
        background.start()
        rollout = Rollout(self._view)
        rollout.start()
        self._child.ready()
        self._child.start_heartbeat(lambda: Heartbeat(background.stats()))
        drain = await self._end
        await asyncio.sleep(drain.delay_s)
        await rollout.close()
        await background.close()
        await self._view.verdicts.close()
        try:
            async with asyncio.timeout(drain.grace_s):
                await port.close()
        except TimeoutError:
            _log.warning("admin.drain_forced", after_s=drain.grace_s)

    # -- what it is told -------------------------------------------------------------------------------------------

    def _told(self, message: ToChild) -> None:
        match message:
            case Answer():
                self._asker.answered(message)
            case Configure(snapshot=data):
                self._configured.set_result(decode(data))
            case Prepare(generation=generation, snapshot=data):
                self._prepared = (generation, decode(data))
                self._child.send(Prepared(generation))
            case Commit(generation=generation):
                self._commit(generation)
            case Abort():
                self._prepared = None
            case Drain():
                self._leave(message)
            case Stop():
                self._leave(Drain(0.0, 0.0))

    def _commit(self, generation: int) -> None:
        if self._prepared is not None and self._prepared[0] == generation and self._view is not None:
            self._view.snapshot = self._prepared[1]
            self._prepared = None

    def _orphaned(self) -> None:
        self._asker.orphaned()
        limits = self._view.snapshot.limits if self._view is not None else None
        self._leave(Drain(limits.drain_delay, limits.drain) if limits else Drain(0.0, 0.0))

    def _leave(self, drain: Drain) -> None:
        if not self._configured.done():
            self._configured.set_result(None)
        if not self._end.done():
            self._end.set_result(drain)


async def serve(control_fd: int, slot: int, listen_fd: int) -> int:
    return await AdminProcess(control_fd, slot, listen_fd).run()
