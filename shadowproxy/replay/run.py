"""A replay: requests in the order of the log, at a pace, at most so many at once, into a log of its own.

The log keeps the contract's laws: every request of the old log is sent and logged, or counted under the reason why not.
Pace: `rate` requests a second, or `speed` times as fast as they came, or as fast as answers come. Latency counts from
when a request was written, as everywhere; a replay that cannot keep its pace falls behind and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from shadowproxy.core.ledger import Ledger, Row
from shadowproxy.core.outcome import COMPLETE, DROPPED, EXCLUDED, LOGGED, REWRITE_FAILED
from shadowproxy.core.routes import Router
from shadowproxy.pairlog.identity import Ids
from shadowproxy.pairlog.names import LEDGER, PAIRS
from shadowproxy.pairlog.record import ledger_lines, timestamp
from shadowproxy.pairlog.segment import Rotation, SegmentWriter
from shadowproxy.recorder.plan import Plan
from shadowproxy.replay import requests as reasons
from shadowproxy.replay.lines import line
from shadowproxy.replay.requests import Request
from shadowproxy.replay.send import RewriteError, Upstream, tracing
from shadowproxy.wire import frames

REWRITE: Final = "rewrite_failed"
UNMATCHED: Final = "no route"
_LEDGER_EVERY: Final = 1000  # requests
_BEHIND_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    rate: float | None = None  # requests a second
    speed: float | None = None  # times as fast as they came
    concurrency: int = 8

    def due_s(self, number: int, since_first_s: float) -> float:
        """Seconds from the replay's start."""
        if self.rate is not None:
            return number / self.rate
        return max(0.0, since_first_s) / self.speed if self.speed is not None else 0.0


@dataclass(slots=True)
class Done:
    """What became of the requests."""

    requests: int = 0
    logged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[int] = field(default_factory=Counter)
    behind_s: float = 0.0  # the furthest that it fell behind its pace


class Replay:
    """`plan` is of a snapshot with one candidate; `progress(done)` is called after each request."""

    def __init__(self, plan: Plan, pace: Pace, progress: Callable[[Done], None]) -> None:
        self.done = Done()
        self._plan = plan
        self._pace = pace
        self._progress = progress
        self._ids = Ids()
        self._router = Router([route.match for route in plan.snapshot.routes])
        self._numbers = {route.name: number for number, route in enumerate(plan.snapshot.routes)}
        self._ledger = Ledger()
        self._boot = time.time_ns() // 1_000_000
        self._seq = 0
        pairs = plan.snapshot.pairs
        rotation = Rotation(pairs.rotate.size, pairs.rotate.age)
        self._writers = {kind: SegmentWriter(Path(pairs.dir), kind, 0, rotation) for kind in (PAIRS, LEDGER)}

    async def run(self, found: Iterable[Request]) -> Done:
        """Raises OSError when the log cannot be written."""
        candidate, twin = self._plan.snapshot.candidates[0], self._plan.snapshot.twin
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            trace_configs=[tracing()],
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            upstreams = [Upstream(session, candidate, frames.FIRST_CANDIDATE, time.monotonic_ns)]
            if twin is not None:
                upstreams.append(Upstream(session, twin, frames.TWIN, time.monotonic_ns))
            try:
                await self._all(found, upstreams)
            finally:
                self._write_ledger()
                for writer in self._writers.values():
                    writer.close()
        return self.done

    async def _all(self, found: Iterable[Request], upstreams: list[Upstream]) -> None:
        slots = asyncio.Semaphore(self._pace.concurrency)
        began, first_s = time.monotonic(), None
        async with asyncio.TaskGroup() as group:
            for request in found:
                route = self._route(request)
                if not self._is_sendable(request, route):
                    continue
                assert route is not None
                first_s = request.arrival_s if first_s is None else first_s
                due = began + self._pace.due_s(self._seq, request.arrival_s - first_s)
                self._seq += 1
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await slots.acquire()
                if self._pace.rate is not None or self._pace.speed is not None:
                    self.done.behind_s = max(self.done.behind_s, time.monotonic() - due)
                task = group.create_task(self._one(request, route, self._seq, upstreams), name=f"replay {self._seq}")
                task.add_done_callback(lambda _: slots.release())

    def _route(self, request: Request) -> int | None:
        named = self._numbers.get(str(request.record.get("route")))
        if named is not None or request.skipped == reasons.UNREADABLE:
            return named
        fields = {name.lower().encode(): value.encode("latin-1", "replace") for name, value in request.headers}
        return self._router.find(request.method.encode(), request.target.encode(), fields.get)

    def _is_sendable(self, request: Request, route: int | None) -> bool:
        """Whether it is; if not, it is counted."""
        self.done.requests += 1
        why = request.skipped or ("" if route is not None else UNMATCHED)
        if not why:
            return True
        self.done.skipped[why] += 1
        row = self._row(route)
        if why == UNMATCHED:
            row.unmatched += 1
        else:
            kind, reason = reasons.LEDGER[why]
            if kind == "dropped":
                row.dropped[DROPPED.index(reason)] += 1
            else:
                row.exclude(EXCLUDED.index(reason))
        self._progress(self.done)
        return False

    def _row(self, route: int | None) -> Row:
        candidate = self._plan.snapshot.candidates[0]
        name = None if route is None else self._plan.routes[route].name
        return self._ledger.row(candidate.trial, candidate.name, name)

    async def _one(self, request: Request, route: int, seq: int, upstreams: list[Upstream]) -> None:
        arrival_us, arrived = time.time_ns() // 1000, time.monotonic_ns()
        row = self._row(route)
        try:
            exchanges = await asyncio.gather(*(upstream.ask(request, arrived) for upstream in upstreams))
        except RewriteError:
            row.dropped[REWRITE_FAILED] += 1
            self.done.skipped[REWRITE] += 1
            return
        row.sent += 1
        src = (0, self._boot, seq)
        data = line(self._plan, route, request, tuple(exchanges), arrival_us, src, self._ids.next)
        self._writers[PAIRS].write(data)
        row.finish(exchanges[0].outcome, LOGGED)
        self.done.logged += 1
        self.done.outcomes[exchanges[0].outcome] += 1
        if self.done.logged % _LEDGER_EVERY == 0:
            self._write_ledger()
        self._progress(self.done)

    def _write_ledger(self) -> None:
        rows = self._ledger.lines()
        if rows:
            now = timestamp(time.time_ns() // 1000)
            self._writers[LEDGER].write(ledger_lines(rows, now, 0, self._boot))


def is_behind(done: Done) -> bool:
    return done.behind_s > _BEHIND_S


def answered(done: Done) -> int:
    return done.outcomes[COMPLETE]
