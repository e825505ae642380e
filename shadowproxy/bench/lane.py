"""Load on one address: connections, what is due on them, and what came of it.

Law: with a rate, request k is due at start + k/rate. It leaves then if a connection is free, else as soon as one is,
and its latency counts from when it was due: a server that stalls is charged for every request that it made wait, not
only for the few that happened to be under way (`test_a_stall_is_charged_to_all_that_waited`).
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

from shadowproxy.bench.connect import connect
from shadowproxy.bench.connection import Connection, Streaming
from shadowproxy.bench.outcome import Outcome, Stream
from shadowproxy.bench.plan import Plan
from shadowproxy.bench.ticker import Ticker

_RECONNECT_S: Final = 0.05
_SWEEP_S: Final = 0.1  # how often latencies are folded and timeouts looked for
_NEVER: Final = 1 << 62


class Lane:
    def __init__(self, plan: Plan, kind: type[Connection] = Connection) -> None:
        """`kind` of connection: what `probe.kind_of` found."""
        self.plan = plan
        self.outcome = Outcome()
        self._loop = asyncio.get_running_loop()
        self._kind = kind
        self._requests = plan.endless()
        self._free: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._latencies: array[int] = array("q")
        self._late: array[int] = array("q")
        self._firsts: array[int] = array("q")
        self._gaps: array[int] = array("q")
        self._failed = 0
        self._answers = 0
        self._answers_at_begin = 0
        self._step_ns = 1e9 / plan.rate_per_s if plan.rate_per_s else 0.0
        self._sent = 0
        self._due_ns = _NEVER  # when the next request is due; in a closed loop it never is
        self._start_ns = self._begin_ns = self._end_ns = 0
        self._closed_loop = plan.rate_per_s is None
        self._is_over = True
        self._mark: Callable[[str], None] = lambda _: None
        self._done: asyncio.Future[None] | None = None
        self._closing = False
        self._all_closed = asyncio.Event()

    # -- connections -----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Raises OSError when a connection cannot be made."""
        await asyncio.gather(*(self._join() for _ in range(self.plan.connections)))

    async def close(self) -> None:
        self._closing = True
        for task in self._connecting:
            task.cancel()
        self._all_closed.clear()
        for connection in list(self._all):
            connection.abort()
        if self._all:
            await self._all_closed.wait()

    async def _join(self) -> None:
        _, connection = await connect(self.plan, lambda: self._kind(self))
        self._all.add(connection)
        self._rest(connection, monotonic_ns())

    async def _rejoin(self) -> None:
        while not self._closing:
            try:
                await self._join()
            except OSError:
                self._count_error("connect")
                await asyncio.sleep(_RECONNECT_S)
            else:
                break

    # -- a window --------------------------------------------------------------------------------------------------

    async def run(self, mark: Callable[[str], None] = lambda _: None) -> Outcome:
        """Offers the plan's load. Calls `mark("begin")` and `mark("end")` at the window's ends."""
        plan = self.plan
        self.outcome = Outcome(duration_s=plan.duration_s, stream=Stream() if self._kind is Streaming else None)
        self._mark = mark
        self._sent = 0
        self._done = self._loop.create_future()
        self._is_over = False
        self._start_ns = monotonic_ns()
        self._begin_ns = self._start_ns + round(plan.warmup_s * 1e9)
        self._end_ns = self._begin_ns + round(plan.duration_s * 1e9)
        timers = [
            self._loop.call_later(plan.warmup_s, self._begin),
            self._loop.call_later(plan.warmup_s + plan.duration_s, self._end),
            self._loop.call_later(_SWEEP_S, self._sweep),
        ]
        ticker = None if self._closed_loop else Ticker(self._start_ns, self._step_ns, self._tick)
        if self._closed_loop:
            for connection in [self._free.popleft() for _ in range(len(self._free))]:
                self._rest(connection, self._start_ns)
        else:
            self._due_ns = self._start_ns
        try:
            await self._done
        finally:
            if ticker is not None:
                ticker.stop()
            for timer in timers:
                timer.cancel()
            self._is_over = True
            self._due_ns = _NEVER
        self._give_up()
        self._fold()
        return self.outcome

    def _begin(self) -> None:
        self._answers_at_begin = self._answers
        self._mark("begin")

    def _end(self) -> None:
        self.outcome.answered_in_window = self._answers - self._answers_at_begin
        self._mark("end")
        self._is_over = True
        self._loop.call_later(self.plan.grace_s, self._finish, self._done)
        self._finish_when_quiet()

    def _finish(self, done: asyncio.Future[None] | None) -> None:
        if done is not None and not done.done():
            done.set_result(None)

    def _finish_when_quiet(self) -> None:
        if self._due_ns >= self._end_ns and not any(connection.due_ns for connection in self._all):
            self._finish(self._done)

    def _tick(self) -> None:
        now_ns = monotonic_ns()
        if self._free and self._due_ns <= now_ns:
            self._dispatch(now_ns)
        elif self._due_ns <= now_ns:
            waiting = int((min(now_ns, self._end_ns) - self._due_ns) / self._step_ns) + 1
            if waiting > self.outcome.backlog_peak:
                self.outcome.backlog_peak = waiting

    def _dispatch(self, now_ns: int) -> None:
        # First in, first out: all connections take turns, none goes stale.
        while self._free and self._due_ns <= now_ns and self._due_ns < self._end_ns:
            connection = self._free.popleft()
            if connection.is_usable:
                self._late.append(now_ns - self._due_ns)
                self._send_due(connection, now_ns)

    def _send_due(self, connection: Connection, now_ns: int) -> None:
        due_ns = self._due_ns
        self._sent += 1
        self._due_ns = self._start_ns + int(self._sent * self._step_ns)
        self._count_offered(due_ns)
        connection.send(next(self._requests), due_ns, now_ns)

    def _count_offered(self, due_ns: int) -> None:
        outcome = self.outcome
        outcome.offered_with_warmup += 1
        if due_ns >= self._begin_ns:
            outcome.offered += 1

    def _rest(self, connection: Connection, now_ns: int) -> None:
        """A connection that owes nothing: it takes what is due, or waits."""
        if self._closed_loop:
            if not self._is_over and now_ns < self._end_ns:
                self._count_offered(now_ns)
                connection.send(next(self._requests), now_ns, now_ns)
                return
        elif self._due_ns <= now_ns and self._due_ns < self._end_ns:
            self._send_due(connection, now_ns)
            return
        self._free.append(connection)

    # -- what connections tell -------------------------------------------------------------------------------------

    def answered(self, connection: Connection, due_ns: int, now_ns: int, status: int) -> None:
        self._answers += 1
        if due_ns >= self._begin_ns:
            self._latencies.append(now_ns - due_ns)
            self.outcome.statuses[status] += 1
            if status >= 400:
                self._failed += 1
        if connection.is_usable:
            self._rest(connection, now_ns)
        if self._is_over:
            self._finish_when_quiet()

    def events(self, due_ns: int, since_ns: int, count: int, *, first: bool) -> None:
        stream = self.outcome.stream
        if stream is not None and due_ns >= self._begin_ns:
            stream.events += count
            (self._firsts if first else self._gaps).append(since_ns)

    def malformed(self, connection: Connection) -> None:
        """What came is no HTTP: counted here, and not once more when the connection ends."""
        due_ns, connection.due_ns = connection.due_ns, 0
        if due_ns >= self._begin_ns and due_ns:
            self._count_error("malformed")

    def lost(self, connection: Connection, due_ns: int) -> None:
        self._all.discard(connection)
        if not self._all:
            self._all_closed.set()
        if due_ns and due_ns >= self._begin_ns:
            self._count_error("closed")
        if not self._closing:
            task = self._loop.create_task(self._rejoin(), name="bench.reconnect")
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        if self._is_over and self._done is not None:
            self._finish_when_quiet()

    def _count_error(self, kind: str) -> None:
        self.outcome.errors[kind] += 1
        self._failed += 1

    # -- ten times a second ----------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        if self._done is None or self._done.done():
            return
        self._loop.call_later(_SWEEP_S, self._sweep)
        now_ns = monotonic_ns()
        oldest_ns = now_ns - round(self.plan.timeout_s * 1e9)
        for connection in [each for each in self._all if each.due_ns and each.sent_ns < oldest_ns]:
            self._abandon(connection, now_ns, "timeout")
        self._fold()

    def _abandon(self, connection: Connection, now_ns: int, kind: str) -> None:
        due_ns, connection.due_ns = connection.due_ns, 0
        if due_ns >= self._begin_ns:
            self._latencies.append(now_ns - due_ns)
            self._count_error(kind)
        connection.abort()

    def _give_up(self) -> None:
        """What is owed, or never left, at the end counts with the time that it was waited for."""
        now_ns = monotonic_ns()
        for connection in [each for each in self._all if each.due_ns]:
            self._abandon(connection, now_ns, "unanswered")
        if self._closed_loop:
            return
        due_ns = self._start_ns + int(self._sent * self._step_ns)
        while due_ns < self._end_ns:
            self._count_offered(due_ns)
            if due_ns >= self._begin_ns:
                self._latencies.append(now_ns - due_ns)
                self._count_error("unanswered")
            self._sent += 1
            due_ns = self._start_ns + int(self._sent * self._step_ns)

    def _fold(self) -> None:
        outcome = self.outcome
        at_s = (min(monotonic_ns(), self._end_ns) - self._begin_ns) / 1e9
        outcome.add(self._latencies, min(at_s, outcome.duration_s * (1 - 1e-9)), self._failed)
        outcome.late.add(self._late)
        self._failed = 0
        if outcome.stream is not None:
            outcome.stream.first.add(self._firsts)
            outcome.stream.gaps.add(self._gaps)
        for each in (self._latencies, self._late, self._firsts, self._gaps):
            del each[:]
