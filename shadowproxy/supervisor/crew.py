"""The crew: every seat, and the one task that fills them, watches heartbeats, and reaps.

One task owns all changes of who sits where (`watch`), so that a spawn, a death and a drain can never cross. Whoever
waits for something waits on `until`, which looks again after each change.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from shadowproxy.wire.messages import Drained, Heartbeat, Hold, Ready, ToSupervisor

from .launch import Launcher
from .life import Life
from .seat import Patience, Seat

LOOK_S: Final = 0.25  # between two looks when nothing happens
LATE_S: Final = 1.0  # a look later than this means that we did not run ourselves: nobody is judged by it
LAG_S: Final = 0.05  # a loop as late as this serves its clients late


class Events(Protocol):
    """Where log events go; `level` is debug, info, warning or error."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


class Crew:
    def __init__(
        self,
        seats: Sequence[Seat],
        launcher: Launcher,
        patience: Patience,
        arguments: Callable[[str], Sequence[str]],
        snapshot: Callable[[], tuple[int, bytes]],
        on_message: Callable[[Seat, Life, ToSupervisor], None],
        events: Events,
    ) -> None:
        """`snapshot` gives the generation and the bytes that a new life begins with, `arguments` what its role adds."""
        self.seats = tuple(seats)
        self.hurry = False  # set to give up all waiting
        self.delay_s = 0.0  # how long a life that is succeeded serves on: its clients learn that it leaves
        self.orphan_s = patience.start  # how long a child that lost its control socket may drain by itself
        self._launcher = launcher
        self._patience = patience
        self._arguments = arguments
        self._snapshot = snapshot
        self._on_message = on_message
        self._events = events
        self._changed = asyncio.Event()
        self._looked_at = asyncio.get_running_loop().time()
        self._due_to_die: dict[Life, float] = {}

    def of(self, role: str) -> list[Seat]:
        return [seat for seat in self.seats if seat.role == role]

    def workers(self) -> list[Life]:
        """Every worker that lives, also those that serve only what they have begun."""
        return [life for seat in self.of("worker") for life in seat.everyone()]

    def lives(self) -> Iterator[tuple[Seat, Life]]:
        for seat in self.seats:
            if seat.life is not None:
                yield seat, seat.life

    # -- waiting ---------------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Something changed: who waits looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Whether the condition came true in time; gives up at once when there is a hurry."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not condition():
            if self.hurry or loop.time() >= deadline:
                return False
            await self._next_change(deadline - loop.time())
        return True

    async def _next_change(self, timeout_s: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return

    # -- the watch -------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Until cancelled. Runs again at each change, at the latest after LOOK_S."""
        while True:
            try:
                await self.look()
            except Exception as e:  # noqa: BLE001 - this task's root: without it nobody is ever replaced
                self._events("error", "supervisor.fault", error=repr(e))
            await self._next_change(LOOK_S)

    async def look(self) -> None:
        self.reap()
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = now - self._looked_at
        self._looked_at = now
        for seat in self.seats:
            if seat.life is not None:
                self._judge(seat, seat.life, now, late if late > LATE_S else 0.0)
            if seat.is_due(now):
                await self._fill(seat)
            if seat.wants_renewal:
                await self._renew(seat, now)

    def _judge(self, seat: Seat, life: Life, now: float, late_s: float) -> None:
        life.beat_at += late_s
        life.started_at += late_s
        if why := seat.is_silent(now):
            self._events("warning", f"{seat.role}.killed", slot=seat.slot, pid=life.pid, why=why)
            life.kill(why)
        elif life.silent_at is not None and now - life.silent_at > LATE_S:
            self._let_go(seat, life, now)

    def _let_go(self, seat: Seat, life: Life, now: float) -> None:
        """Its control socket ended but the process lives: it drains by itself, and the seat gets a successor now."""
        self._due_to_die[life] = now + self.orphan_s + self._patience.farewell
        seat.leaving.append(life)
        self._ended(seat, life, "it closed its control socket", now)

    async def _fill(self, seat: Seat) -> None:
        life, snapshot = self._conceived(seat)
        seat.life = life
        seat.lives += 1
        try:
            await life.begin(self._launcher, seat.listen, snapshot, self._arguments(seat.role))
        except OSError as e:
            self._ended(seat, life, f"the system started no process: {e}", asyncio.get_running_loop().time())

    def _conceived(self, seat: Seat) -> tuple[Life, bytes]:
        generation, snapshot = self._snapshot()
        return Life(seat.role, seat.slot, generation, lambda life, message: self._heard(seat, life, message)), snapshot

    # -- renewal ---------------------------------------------------------------------------------------------------

    async def renew(self, seats: Sequence[Seat]) -> str:
        """Another life in each seat, one seat after the other; why it stopped, or nothing.

        A successor serves the same socket beside the present life, which drains once the successor is ready: at no
        moment does nobody accept.
        """
        for seat in seats:
            seat.wants_renewal, seat.renewal_failed = True, ""
            self.poke()
            await self.until(lambda seat=seat: not seat.wants_renewal, self._patience.start + LATE_S)  # type: ignore[misc]
            if seat.wants_renewal:
                return f"{seat.name} was not renewed in time"
            if seat.renewal_failed:
                return f"{seat.name}'s successor failed: {seat.renewal_failed}"
        return ""

    async def _renew(self, seat: Seat, now: float) -> None:
        successor = seat.successor
        if not seat.wanted or seat.life is None:
            seat.wants_renewal = False  # whoever comes next is new anyway
        elif successor is None:
            if seat.is_ready:
                successor, snapshot = self._conceived(seat)
                seat.successor = successor
                try:
                    await successor.begin(self._launcher, seat.listen, snapshot, self._arguments(seat.role))
                except OSError as e:
                    self._renewal_failed(seat, f"the system started no process: {e}")
        elif (status := successor.reap()) is not None:
            self._renewal_failed(seat, successor.obituary(status))
        elif successor.state == "ready":
            self._succeed(seat, seat.life, successor, now)
        elif now - successor.started_at > self._patience.start:
            successor.kill(f"not ready within {self._patience.start:g} s")

    def _renewal_failed(self, seat: Seat, why: str) -> None:
        seat.successor, seat.wants_renewal, seat.renewal_failed = None, False, why
        self._events("warning", f"{seat.role}.not_renewed", slot=seat.slot, why=why)
        self.poke()

    def _succeed(self, seat: Seat, old: Life, successor: Life, now: float) -> None:
        """From here on the successor sits there."""
        seat.life, seat.successor, seat.wants_renewal = successor, None, False
        seat.lives += 1
        seat.retiring.append(old)
        self._due_to_die[old] = now + self.orphan_s + self._patience.farewell
        old.drain(self.delay_s, self.orphan_s - self.delay_s)
        self._events("info", f"{seat.role}.renewed", slot=seat.slot, pid=successor.pid, was=old.pid)
        # It may have begun with an older configuration than the one that is in force by now.
        self._on_message(seat, successor, Ready(successor.pid, seat.role, seat.slot, successor.boot))
        self.poke()

    def _heard(self, seat: Seat, life: Life, message: ToSupervisor) -> None:
        if seat.life is not life:
            if isinstance(message, Ready):
                self.poke()
            return
        if isinstance(message, Ready):
            seat.was_ready = True
            level = "info" if seat.restarts else "debug"
            self._events(level, f"{seat.role}.ready", slot=seat.slot, pid=life.pid, restarts=seat.restarts)
        if life.healthy != seat.was_healthy:
            seat.was_healthy = life.healthy
            level, state = ("info", "healthy") if life.healthy else ("warning", "unhealthy")
            self._events(level, f"{seat.role}.{state}", slot=seat.slot, pid=life.pid, why=life.note)
        self._on_message(seat, life, message)
        if isinstance(message, Ready | Drained) or life.state == "draining":
            self.poke()

    def spare(self, beat: Heartbeat) -> None:
        """A worker's heartbeat: while its loop is late, whoever can wait leaves it the processor."""
        if beat.stats.gauges.get("loop_lag_seconds", 0.0) > LAG_S:
            for seat in self.of("recorder"):
                if seat.life is not None:
                    seat.life.send(Hold())

    # -- ends ------------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Take note of every process that has ended; as PID 1 of a container, of those that nobody else waits for."""
        now = asyncio.get_running_loop().time()
        for seat in self.seats:
            life = seat.life
            if life is not None and (status := life.reap()) is not None and life.pid:
                as_told = life.state == "draining" and status == 0
                self._ended(seat, life, life.obituary(status), now, as_told=as_told)
            for gone in [life for life in seat.leaving if life.reap() is not None]:
                seat.leaving.remove(gone)
                self._due_to_die.pop(gone, None)
            for gone in [life for life in seat.retiring if life.reap() is not None]:
                seat.retiring.remove(gone)
                seat.totals.add(gone.boot, gone.stats)
                self._due_to_die.pop(gone, None)
                self.poke()
        for life, due in self._due_to_die.items():
            if now >= due:
                life.kill("it did not end by itself")
        if os.getpid() == 1:
            self._reap_strangers()

    def _reap_strangers(self) -> None:
        """Orphans of the container are ours as PID 1. A look without reaping leaves our own children to `Life.reap`."""
        ours = {life.pid for seat in self.seats for life in seat.everyone()}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None or found.si_pid in ours:
                return
            os.waitpid(found.si_pid, os.WNOHANG)

    def _ended(self, seat: Seat, life: Life, obituary: str, now: float, *, as_told: bool = False) -> None:
        life.state = "ended"
        wait = seat.ended(life, obituary, now)
        level = "debug" if as_told else "warning"
        facts: dict[str, object] = {"slot": seat.slot, "pid": life.pid, "why": obituary}
        if seat.wanted:
            facts["restart_in_s"] = round(wait, 2)
        self._events(level, f"{seat.role}.ended", **facts)
        self.poke()

    def tell_to_drain(self, seats: Sequence[Seat], delay_s: float, grace_s: float) -> None:
        """From now on these seats are given up: nobody succeeds whoever sits there."""
        for seat in seats:
            seat.wanted = seat.wants_renewal = False
            if seat.successor is not None:  # it may have accepted already
                seat.retiring.append(seat.successor)
                seat.successor.drain(delay_s, grace_s, last=True)
                seat.successor = None
            if seat.life is not None:
                seat.life.drain(delay_s, grace_s, last=True)

    async def empty(self, seats: Sequence[Seat], within_s: float) -> None:
        """Return when nobody sits there; who overstays is killed."""

        def is_empty() -> bool:
            return all(seat.life is None and not seat.retiring for seat in seats)

        if await self.until(is_empty, within_s) or self.hurry:
            return
        for seat in seats:
            for life in (*seat.retiring, *([seat.life] if seat.life is not None else [])):
                self._events("warning", f"{seat.role}.drain_forced", slot=seat.slot, after_s=within_s)
                life.kill(f"not drained within {within_s:g} s")
        await self.until(is_empty, self._patience.farewell)

    def end(self) -> None:
        """Kill and reap whatever is left, at once. Blocks until the system has ended it."""
        everyone = [life for seat in self.seats for life in seat.everyone()]
        for life in everyone:
            life.kill("the supervisor ended")
        for life in everyone:
            life.wait(self._patience.farewell)
        for seat in self.seats:
            seat.wanted, seat.life, seat.successor = False, None, None
            seat.leaving.clear()
            seat.retiring.clear()
