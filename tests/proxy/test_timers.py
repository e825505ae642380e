from __future__ import annotations

import weakref

from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.proxy.timers import LOOK_NS, SECOND_NS, TICK_NS, Timers


class Clock:
    def __init__(self, now: int = 1_000 * SECOND_NS) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Watched:
    """Notes when it expired; arms itself again where it is told to."""

    def __init__(self, clock: Clock) -> None:
        self.deadline = 0
        self.armed = 0
        self.expired_at: list[int] = []
        self._clock = clock

    def expired(self) -> None:
        self.expired_at.append(self._clock.now)


def pass_time(clock: Clock, timers: Timers, ns: int) -> None:
    """A sweep each tick, as the worker does."""
    end = clock.now + ns
    while clock.now < end:
        clock.now += TICK_NS
        timers.sweep()


@given(st.integers(0, 100 * SECOND_NS), st.integers(0, TICK_NS), st.integers(0, TICK_NS - 1))
def test_an_expiry_is_never_early_and_late_by_two_ticks_at_most(delay: int, since_sweep: int, phase: int) -> None:
    clock = Clock(1_000 * SECOND_NS + phase)
    timers, watched = Timers(clock), Watched(clock)
    swept = clock.now
    clock.now += since_sweep
    armed = clock.now
    timers.arm(watched, delay)
    clock.now = swept
    pass_time(clock, timers, delay + 4 * TICK_NS)
    (at,) = watched.expired_at
    assert armed + delay <= at <= armed + delay + 2 * TICK_NS


@given(st.integers(0, 100 * SECOND_NS), st.integers(0, 60 * SECOND_NS))
def test_a_deadline_set_while_the_loop_is_late_is_not_early_either(delay: int, late: int) -> None:
    clock = Clock()
    timers, watched = Timers(clock), Watched(clock)
    clock.now += late  # no sweep in all this time
    armed = clock.now
    timers.arm(watched, delay)
    timers.sweep()
    pass_time(clock, timers, delay + 4 * TICK_NS)
    (at,) = watched.expired_at
    assert armed + delay <= at <= armed + delay + 2 * TICK_NS


def test_a_moved_deadline_is_found_by_the_sweep() -> None:
    clock = Clock()
    timers, watched = Timers(clock), Watched(clock)
    timers.arm(watched, SECOND_NS)
    looked_at = watched.armed
    pass_time(clock, timers, SECOND_NS // 2)
    timers.arm(watched, 2 * SECOND_NS)
    assert watched.armed == looked_at  # further away costs an assignment
    pass_time(clock, timers, SECOND_NS)
    assert watched.expired_at == []
    pass_time(clock, timers, 2 * SECOND_NS)
    assert len(watched.expired_at) == 1


def test_a_nearer_deadline_is_met_once() -> None:
    clock = Clock()
    timers, watched = Timers(clock), Watched(clock)
    timers.arm(watched, 10 * SECOND_NS)
    timers.arm(watched, SECOND_NS)
    began = clock.now
    pass_time(clock, timers, 20 * SECOND_NS)
    (at,) = watched.expired_at
    assert at - began <= SECOND_NS + 2 * TICK_NS


def test_a_deadline_of_0_never_comes() -> None:
    clock = Clock()
    timers, watched = Timers(clock), Watched(clock)
    timers.arm(watched, SECOND_NS)
    watched.deadline = 0
    pass_time(clock, timers, 5 * SECOND_NS)
    assert watched.expired_at == []
    assert watched.armed == 0
    timers.arm(watched, SECOND_NS)
    pass_time(clock, timers, 2 * SECOND_NS)
    assert len(watched.expired_at) == 1


def test_what_expires_may_arm_itself_again() -> None:
    clock = Clock()
    timers = Timers(clock)

    class Again(Watched):
        def expired(self) -> None:
            super().expired()
            timers.arm(self, 0)

    watched = Again(clock)
    timers.arm(watched, SECOND_NS)
    pass_time(clock, timers, 3 * SECOND_NS)
    assert 15 <= len(watched.expired_at) <= 20
    assert watched.expired_at == sorted(set(watched.expired_at))


def test_what_came_due_while_the_loop_was_busy_expires_in_one_sweep() -> None:
    clock = Clock()
    timers = Timers(clock)
    all_of_them = [Watched(clock) for _ in range(50)]
    for number, watched in enumerate(all_of_them):
        timers.arm(watched, number * SECOND_NS // 10)
    clock.now += 60 * SECOND_NS
    timers.sweep()
    assert all(len(watched.expired_at) == 1 for watched in all_of_them)
    assert timers._slots == {}


def test_a_fault_in_one_expiry_loses_no_other() -> None:
    clock = Clock()
    timers = Timers(clock)

    class Faulty(Watched):
        def expired(self) -> None:
            raise ZeroDivisionError

    all_of_them = [Watched(clock), Faulty(clock), Watched(clock)]
    for watched in all_of_them:
        timers.arm(watched, SECOND_NS)
    faults = 0
    for _ in range(15):
        clock.now += TICK_NS
        try:
            timers.sweep()
        except ZeroDivisionError:
            faults += 1
    assert faults == 1
    assert [len(watched.expired_at) for watched in all_of_them] == [1, 0, 1]


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 30))),  # which, and cancel or delay in tenths
    max_size=40,
)


@given(STEPS)
def test_any_order_of_arming_moving_and_cancelling_keeps_the_law(steps: list[tuple[int, int | None]]) -> None:
    clock = Clock()
    timers = Timers(clock)
    all_of_them = [Watched(clock) for _ in range(4)]
    due: list[int | None] = [None] * 4
    for which, tenths in steps:
        watched = all_of_them[which]
        if tenths is None:
            watched.deadline, due[which] = 0, None
        else:
            timers.arm(watched, tenths * TICK_NS)
            due[which] = clock.now + tenths * TICK_NS
        clock.now += TICK_NS
        timers.sweep()
        for number, one in enumerate(all_of_them):
            at = due[number]
            while one.expired_at:
                expired = one.expired_at.pop()
                assert at is not None
                assert at <= expired <= at + 2 * TICK_NS
                at = due[number] = None
            assert at is None or clock.now < at + 2 * TICK_NS


def test_what_has_ended_is_not_held_until_its_deadline() -> None:
    """A connection with a keep-alive of minutes would be kept in memory for as long after its end."""
    clock = Clock()
    timers, watched = Timers(clock), Watched(clock)
    timers.arm(watched, 75 * SECOND_NS)
    watched.deadline = 0
    gone = weakref.ref(watched)
    del watched
    pass_time(clock, timers, LOOK_NS + TICK_NS)
    assert gone() is None
