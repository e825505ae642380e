"""The open loop: request k is due at start + k/rate. It goes out then if a connection is free, else as soon as one is.

Its latency counts from when it was due. A stalled server is therefore charged for every request that it made wait,
not only for the few that happened to be under way (`test_a_stall_is_charged_to_all_that_waited`).
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable

from shadowproxy.bench.connection import Connection
from shadowproxy.bench.plan import Outcome, Plan

_RECONNECT_S = 0.05
_SELECT_LIMIT = 500  # select(2) takes descriptors below 1024


def new_loop(connections: int) -> asyncio.AbstractEventLoop:
    """An event loop whose timers keep microseconds: epoll's, and so uvloop's, round to a millisecond."""
    if connections <= _SELECT_LIMIT:
        return asyncio.SelectorEventLoop(selectors.SelectSelector())
    return asyncio.SelectorEventLoop()


async def offer(plan: Plan, mark: Callable[[str], None] = lambda _: None) -> Outcome:
    """Offers the plan's load. Calls `mark("begin")` and `mark("end")` at the window's ends.

    Raises OSError when the first connections cannot be made.
    """
    return await _OpenLoop(plan, mark).run()


class _OpenLoop:
    def __init__(self, plan: Plan, mark: Callable[[str], None]) -> None:
        self._plan = plan
        self._mark = mark
        self._loop = asyncio.get_running_loop()
        self._free: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._waiting: deque[int] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._outcome = Outcome()
        self._answered = 0
        self._fallen_due = 0
        self._start_ns = 0
        self._begin_ns = 0
        self._end_ns = 0
        self._open = True
        self._all_closed = asyncio.Event()
        self._done = self._loop.create_future()

    async def run(self) -> Outcome:
        try:
            await asyncio.gather(*(self._connect() for _ in range(self._plan.connections)))
        except OSError:
            self._finish()
            await self._close()
            raise
        self._start_ns = time.monotonic_ns()
        self._begin_ns = self._start_ns + round(self._plan.warmup_s * 1e9)
        self._end_ns = self._begin_ns + round(self._plan.duration_s * 1e9)
        self._at(self._begin_ns, self._begin)
        self._at(self._end_ns, self._end)
        self._tick()
        await self._done
        await self._close()
        return self._outcome

    def _at(self, when_ns: int, call: Callable[[], None]) -> None:
        # The loop's clock is time.monotonic(): a delay, computed on one clock and added on the other, would slip by
        # whatever happens in between.
        self._loop.call_at(when_ns / 1e9, call)

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        while (due_ns := self._next_due_ns()) <= now_ns and due_ns < self._end_ns:
            self._fallen_due += 1
            self._outcome.offered_with_warmup += 1
            self._outcome.offered += due_ns >= self._begin_ns
            self._waiting.append(due_ns)
        self._dispatch()
        self._outcome.backlog_peak = max(self._outcome.backlog_peak, len(self._waiting))
        if due_ns < self._end_ns:
            self._at(due_ns, self._tick)
        elif not self._open:
            self._finish_when_quiet()

    def _next_due_ns(self) -> int:
        return self._start_ns + round(self._fallen_due * 1e9 / self._plan.rate_per_s)

    def _dispatch(self) -> None:
        # First in, first out: all connections take turns, none goes stale.
        while self._waiting and self._free:
            connection = self._free.popleft()
            if connection.reusable:
                connection.send(self._plan.request, self._waiting.popleft())

    def _begin(self) -> None:
        self._answered = 0
        self._mark("begin")

    def _end(self) -> None:
        self._outcome.answered_in_window = self._answered
        self._mark("end")
        self._loop.call_later(self._plan.grace_s, self._finish)
        self._open = False
        self._finish_when_quiet()

    def _finish_when_quiet(self) -> None:
        all_left = self._next_due_ns() >= self._end_ns and not self._waiting
        if not self._open and all_left and all(connection.due_ns is None for connection in self._all):
            self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def answered(self, connection: Connection, due_ns: int, status: int) -> None:
        latency_ns = time.monotonic_ns() - due_ns
        self._answered += 1
        if due_ns >= self._begin_ns:
            self._outcome.latencies_ns.append(latency_ns)
            self._outcome.statuses[status] = self._outcome.statuses.get(status, 0) + 1
        if connection.reusable:
            self._free.append(connection)
        if self._waiting:
            self._dispatch()
        if not self._open:
            self._finish_when_quiet()

    def lost(self, connection: Connection, due_ns: int | None) -> None:
        self._all.discard(connection)
        if not self._all:
            self._all_closed.set()
        if due_ns is not None and due_ns >= self._begin_ns:
            self._count_error("closed" if not self._done.done() else "unanswered")
        if not self._done.done():
            task = self._loop.create_task(self._reconnect(), name="bench.reconnect")
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        if not self._open:
            self._finish_when_quiet()

    def _count_error(self, kind: str) -> None:
        self._outcome.errors[kind] = self._outcome.errors.get(kind, 0) + 1

    async def _connect(self) -> None:
        _, connection = await self._loop.create_connection(lambda: Connection(self), self._plan.host, self._plan.port)
        self._all.add(connection)
        self._free.append(connection)

    async def _reconnect(self) -> None:
        while True:
            try:
                await self._connect()
            except OSError:
                self._count_error("connect")
                await asyncio.sleep(_RECONNECT_S)
            else:
                return self._dispatch()

    async def _close(self) -> None:
        for due_ns in self._waiting:
            if due_ns >= self._begin_ns:
                self._count_error("unanswered")
        for task in self._connecting:
            task.cancel()
        self._all_closed.clear()
        for connection in self._all:
            connection.close()
        if self._all:
            await self._all_closed.wait()
