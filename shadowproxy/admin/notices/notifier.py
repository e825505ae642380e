"""The notifier: readings in, notices out, remembered on the way.

One task takes readings in their order, so that what is told and what is remembered cannot cross. Each delivery is a
task of its own; at most MAX_PENDING notices wait for theirs, and what comes beyond is logged and let go.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec
import structlog

from shadowproxy.admin.deployments import History
from shadowproxy.admin.reading import Reading
from shadowproxy.admin.tasks import end
from shadowproxy.settings.snapshot import Notify, Snapshot

from . import memory as memories
from .changes import Watcher
from .memory import MAX_PENDING, Pending
from .notice import Notice
from .webhooks import Courier, key_of

STALE_S: Final = 3600.0  # a notice that a crash kept back for longer is no news

_log = structlog.get_logger()


class Notifier:
    def __init__(
        self, state: str, courier: Courier | None = None, more: Callable[[], list[dict[str, Any]]] = list
    ) -> None:
        """`more` gives what else happened since it was last asked, as lines of the history."""
        self._state = state
        self._more = more
        self._courier = courier or Courier()
        self._memory = memories.read(state)
        self._watcher = Watcher()
        self._history = History(state, self._memory.history_bytes)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()
        self._unwritable = False
        self._resumed = False

    async def look(self, reading: Reading) -> None:
        """Tell what has changed. Deliveries go on after this returns."""
        if not self._resumed:
            self._resumed = True
            self._resume(reading.snapshot)
        before = msgspec.json.encode(self._memory)
        history = [*await asyncio.to_thread(self._history.read_new), *self._more()]
        self._memory.history_bytes = self._history.bytes_read
        notices = self._watcher.changes(reading, history, self._memory, _maker(reading))
        due = [
            (notice, webhook)
            for notice in notices
            for webhook in reading.snapshot.notify
            if notice.event in webhook.on and self._has_room(notice)
        ]
        self._memory.pending += [Pending(notice, key_of(webhook)) for notice, webhook in due]
        if msgspec.json.encode(self._memory) != before:
            await self._remember()
        for notice, webhook in due:
            self._send(notice, webhook)

    def _has_room(self, notice: Notice) -> bool:
        if len(self._memory.pending) < MAX_PENDING:
            return True
        _log.warning("notice.dropped", notice=notice.event, id=notice.id, waiting=MAX_PENDING)
        return False

    def _resume(self, snapshot: Snapshot) -> None:
        """What the life before this one owed: it is sent, unless it is old or nobody wants it any more."""
        webhooks = {key_of(webhook): webhook for webhook in snapshot.notify}
        oldest = datetime.now(UTC) - timedelta(seconds=STALE_S)
        kept = [
            one for one in self._memory.pending if one.to in webhooks and datetime.fromisoformat(one.notice.at) > oldest
        ]
        self._memory.pending = kept
        for one in kept:
            self._send(one.notice, webhooks[one.to])

    def _send(self, notice: Notice, webhook: Notify) -> None:
        task = asyncio.create_task(self._deliver(notice, webhook), name=f"notice {notice.event}")
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _deliver(self, notice: Notice, webhook: Notify) -> None:
        await self._courier.deliver(notice, webhook)
        self._memory.pending.remove(Pending(notice, key_of(webhook)))
        await self._remember()

    async def _remember(self) -> None:
        async with self._writing:
            try:
                await asyncio.to_thread(memories.write, self._state, memories.FILE, msgspec.json.encode(self._memory))
                self._unwritable = False
            except OSError as e:
                if not self._unwritable:
                    _log.warning("notices.unwritable", dir=self._state, why=e.strerror or str(e))
                self._unwritable = True

    async def close(self, within_s: float = 0.0) -> None:
        """Deliveries under way may end within that time; what is not delivered then is sent by the next life."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=within_s)
        for task in list(self._deliveries):
            await end(task)
        await self._courier.close()


def _maker(reading: Reading) -> Callable[..., Notice]:
    snapshot = reading.snapshot
    base = snapshot.admin.link or (f"http://{snapshot.admin.listen}" if snapshot.admin.listen else "")
    at = datetime.fromtimestamp(reading.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def make(event: str, candidate: str, title: str, headline: str, **facts: Any) -> Notice:
        return Notice(
            id=str(uuid.uuid4()),
            at=at,
            event=event,
            candidate=candidate,
            production=snapshot.production.name,
            title=title,
            headline=headline,
            link=f"{base}/#candidate-{quote(candidate)}" if base else "",
            facts=facts,
        )

    return make
