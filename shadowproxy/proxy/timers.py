"""Deadlines, by one sweep each 100 ms.

Law: an expiry never comes early, however late the loop was when the deadline was set, and comes late by at most two
ticks. Moving a deadline further away costs one assignment; the sweep finds out when it looks
(tests/proxy/test_timers.py::test_a_moved_deadline_is_found_by_the_sweep).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

TICK_NS: Final = 100_000_000
SECOND_NS: Final = 1_000_000_000
# Whatever has a deadline is looked at this often at least, for what has ended is held until then: at 3,000 connections
# a second that were held for their keep-alive of 75 s a worker grew by 1.5 KB for each (test_memory.py, 100,000).
LOOK_NS: Final = 2 * SECOND_NS


class Timed(Protocol):
    """Something with one deadline. `deadline` is 0 when there is none.

    `armed` is the time at whose tick the sweep looks at it, 0 when it does not.
    """

    deadline: int
    armed: int

    def expired(self) -> None: ...


class Timers:
    """Times are ns of one monotonic clock; `now` is the time of the last sweep."""

    __slots__ = ("_clock", "_slots", "_swept", "now")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.now = clock()
        self._swept = self.now // TICK_NS
        self._slots: dict[int, list[Timed]] = {}

    def arm(self, timed: Timed, delay_ns: int) -> None:
        """`timed.expired()` is called `delay_ns` from now, unless the deadline is moved or set to 0 before."""
        self.arm_from(self._clock(), timed, delay_ns)

    def arm_from(self, now: int, timed: Timed, delay_ns: int) -> None:
        """As `arm`, for who has just asked the clock. `self.now` would not do: it is as old as the loop is late."""
        # The tick that is added leads to a slot that has not been swept, and covers what `now` is old.
        deadline = timed.deadline = now + delay_ns + TICK_NS
        if not 0 < timed.armed <= deadline:
            self._place(timed, min(deadline, now + LOOK_NS) // TICK_NS)

    def _place(self, timed: Timed, slot: int) -> None:
        timed.armed = slot * TICK_NS
        entries = self._slots.get(slot)
        if entries is None:
            self._slots[slot] = [timed]
        else:
            entries.append(timed)

    def sweep(self) -> None:
        now = self.now = self._clock()
        last = now // TICK_NS
        slots = self._slots
        for slot in range(self._swept + 1, last + 1):
            entries = slots.get(slot)
            while entries:  # one at a time: an `expired` that raises loses no other
                timed = entries.pop()
                if timed.armed != slot * TICK_NS:
                    continue  # it was armed anew for an earlier tick
                timed.armed = 0
                deadline = timed.deadline
                if deadline == 0:
                    continue
                if deadline <= now:
                    timed.deadline = 0
                    timed.expired()
                else:
                    self._place(timed, max(min(deadline, now + LOOK_NS) // TICK_NS, last + 1))
            slots.pop(slot, None)
            self._swept = slot
