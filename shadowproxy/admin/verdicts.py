"""The live verdict: each candidate's record exactly as `shadowproxy report --format json` gives it.

Law: the same files, the same query, the same judge as offline, in a process of its own
(`python -m shadowproxy.report`), so that live and offline cannot differ and nothing of it runs on this loop. What is
told is the newest answer; asking waits for nothing.

A new one is made when a time bucket has closed and the log has grown since, but never so often that it would take more
than a share `SHARE` of one core; one that is late is killed and its predecessor stays. Who follows the verdict gets
every change: `subscribe` calls back on this loop, `changed` waits for it.

    await verdicts.of("v2")          → the record of v2's present trial, or None before there is one
    await verdicts.all()             → {name: record}
    edition = await verdicts.changed(edition)
    verdicts.subscribe(callback)     → callback(before, after), both as `all()` gives them
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson
import structlog

from shadowproxy.settings.snapshot import Snapshot

from .asked import AskedError, ask_at_once
from .tasks import end

SHARE: Final = 0.2  # of a core, at most
DEADLINE_S: Final = 60
SETTLE_S: Final = 2.0  # after a bucket's end: what came in it is written by then
AFTER_FAILURE_S: Final = 60.0
FIRST_S: Final = 2.0  # after the start

Records = Mapping[str, Mapping[str, Any]]
Judge = Callable[[Snapshot, int], Awaitable[Mapping[str, Any]]]
NOTHING: Final[Records] = MappingProxyType({})

_log = structlog.get_logger()


class Verdicts:
    """`snapshot` gives the configuration in force; `judge` is the subprocess, or what a test puts in its place."""

    def __init__(self, snapshot: Callable[[], Snapshot], judge: Judge | None = None) -> None:
        self._snapshot = snapshot
        self._judge = judge or ask
        self._report: Mapping[str, Any] = {}
        self._records: Records = NOTHING
        self._listeners: list[Callable[[Records, Records], None]] = []
        self._condition = asyncio.Condition()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.edition = 0  # grows with every new report
        self.judged_at_s = 0.0  # since 1970; 0 before the first

    # -- what others ask -------------------------------------------------------------------------------------------

    async def of(self, name: str) -> Mapping[str, Any] | None:
        """The record of the candidate's present trial; None where nothing was judged of it yet.

        A record of a trial that is over is never told: it is about another version, or another production.
        """
        return (await self.all()).get(name)

    async def all(self) -> Records:
        present = {candidate.name: candidate.trial for candidate in self._snapshot().candidates}
        return {
            name: record
            for name, record in self._records.items()
            if name in present and present[name] in ("", record["trial"])
        }

    async def report(self) -> Mapping[str, Any]:
        """The whole report as JSON gives it; empty before the first."""
        return self._report

    async def changed(self, since: int) -> int:
        """Waits until there is a newer report than edition `since`, and returns its edition."""
        async with self._condition:
            await self._condition.wait_for(lambda: self.edition > since)
            return self.edition

    def subscribe(self, listener: Callable[[Records, Records], None]) -> None:
        """`listener(before, after)` after each new report. It must not block; what it raises is logged."""
        self._listeners.append(listener)

    def hurry(self) -> None:
        """Judge as soon as the share of a core allows, not only at a bucket's end."""
        self._wanted.set()

    # -- the work behind it ----------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="admin.verdicts")

    async def close(self) -> None:
        await end(self._task)
        self._task = None

    async def put(self, report: Mapping[str, Any]) -> None:
        """Take a report as the newest."""
        before = await self.all()
        self._report, self._records = report, report["candidates"]
        self.judged_at_s = time.time()
        after = await self.all()
        async with self._condition:
            self.edition += 1
            self._condition.notify_all()
        for listener in self._listeners:
            try:
                listener(before, after)
            except Exception:  # noqa: BLE001 - whoever listens must not end the judging
                _log.exception("admin.verdict_listener_failed")

    async def _run(self) -> None:
        judged: object = None
        rest_s, due_s = FIRST_S, 0.0
        while True:
            await asyncio.sleep(rest_s)
            await self._hurried_or_due(due_s)
            snapshot = self._snapshot()
            due_s = _next_closing(snapshot.statistics.bucket)
            state = (snapshot.generation, await asyncio.to_thread(_log_state, snapshot.pairs.dir))
            rest_s = 0.0
            if state != judged and state[1]:
                judged = state
                rest_s = await self._once(snapshot)

    async def _hurried_or_due(self, due_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(due_s - time.time(), 0)):
                await self._wanted.wait()
        self._wanted.clear()

    async def _once(self, snapshot: Snapshot) -> float:
        """Judge, and say how long to rest from it: by the processor's time that it took, not by how long it waited for
        some, so that a busy host is judged no later than it must be. What other children took counts too."""
        started_s, used_s = time.monotonic(), _children_used_s()
        try:
            await self.put(await self._judge(snapshot, DEADLINE_S))
        except (AskedError, ValueError) as e:  # ValueError: an answer that is none
            _log.warning("admin.verdict_failed", why=str(e), again_in_s=AFTER_FAILURE_S)
            return AFTER_FAILURE_S
        took_s = time.monotonic() - started_s
        return max((_children_used_s() - used_s) / SHARE - took_s, took_s)


async def ask(snapshot: Snapshot, deadline_s: int, since: str | None = None) -> Mapping[str, Any]:
    """The report of the log in `pairs.dir`, from a process that is killed at the deadline. Raises AskedError.

    `since` (RFC 3339): of what arrived from then on.
    """
    question = {"what": "report", "paths": [snapshot.pairs.dir], "snapshot": snapshot, "since": since}
    said = await ask_at_once(question, deadline_s)
    report: Mapping[str, Any] = orjson.loads(said)
    return report


def _children_used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _next_closing(bucket_s: float) -> float:
    """When what comes in the present bucket has been written, in seconds since 1970."""
    return (time.time() // bucket_s + 1) * bucket_s + SETTLE_S


def _log_state(folder: str) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the log's files: while they stay, there is nothing new to judge. Empty without a log."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return ()
    files = []
    for entry in entries:
        with contextlib.suppress(OSError):
            files.append((entry.name, entry.stat(follow_symlinks=False).st_size))
    return tuple(sorted(files))
