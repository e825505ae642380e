"""What the admin process does without being asked: a reading each second, for everybody who follows the figures.

One task; a follower that is at fault is logged and asked again with the next reading, and no other goes without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shadowproxy import logs
from shadowproxy.wire.messages import Stats

from .asking import NoAnswerError
from .flags import Following
from .notices.notifier import Notifier
from .push.otlp import OtlpPush
from .push.pusher import Pusher
from .reading import Reading, take
from .stopping import Stopping
from .tasks import end
from .view import View

EVERY_S: Final = 1.0
FAREWELL_S: Final = 2.0  # for what is on its way when the process is to end

Follower = Callable[[Reading], Awaitable[None]]

_log = structlog.get_logger()


class Background:
    def __init__(self, view: View, every_s: float = EVERY_S) -> None:
        self._view = view
        self._every_s = every_s
        self._stopping = Stopping(view.snapshot.state, view.asker)
        self._notifier = Notifier(view.snapshot.state, more=self._stopping.take)
        self._pusher = Pusher()
        self._otlp = OtlpPush()
        self._following = Following(view.asker)
        self._followers: tuple[Follower, ...] = (
            self._stopping.look,
            self._notifier.look,
            self._pusher.look,
            self._otlp.look,
            self._following.look,
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="admin.background")

    async def close(self) -> None:
        """A last reading is taken: what happened just now is told too."""
        if self._task is None:
            return
        await end(self._task)
        await self._look()
        await self._notifier.close(FAREWELL_S)
        await self._pusher.close()
        await self._otlp.close()
        await self._following.close()

    def stats(self) -> Stats:
        """What this process counts, for its heartbeats."""
        return Stats(counters={**self._pusher.counters(), **self._otlp.counters(), **logs.counters()})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self._look()

    async def _look(self) -> None:
        try:
            reading = await take(self._view)
        except NoAnswerError:
            return
        for follower in self._followers:
            try:
                await follower(reading)
            except Exception:  # noqa: BLE001 - the root of each follower: its fault is nobody else's
                _log.exception("admin.follower_failed", follower=getattr(follower, "__qualname__", repr(follower)))
