from __future__ import annotations

import asyncio
from typing import Any

from shadowproxy.proxy.leg import CHUNKS
from shadowproxy.proxy.reads import READ, STEP_LEGS, STEP_S, TURN_BYTES, TURN_S, ReadBudget
from tests.proxy.world import (
    OK,
    Clock,
    Make,
    answer,
    begun,
    candidate,
    configuration,
    the_copy,
)


class Reader:
    """A connection as the read budget sees it."""

    def __init__(self) -> None:
        self.closed = False
        self.transport = self
        self.reading = True
        self.paused_ns = 0

    def read_on(self) -> None:
        self.resume_reading()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Loop:
    """Timers that a test fires."""

    def __init__(self) -> None:
        self.due: list[Any] = []
        self.now = 100.0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any) -> None:
        assert STEP_S <= delay <= TURN_S
        self.due.append((self.now + delay, callback))

    def step(self) -> None:
        """To the next timer."""
        [(self.now, callback)], self.due = self.due, []
        callback()

    def turn(self) -> None:
        """So long that a turn is over."""
        until = self.now + TURN_S
        while self.due and self.due[0][0] <= until:
            self.step()
        self.now = until


def reads() -> tuple[Loop, ReadBudget]:
    loop = Loop()
    return loop, ReadBudget(loop)  # type: ignore[arg-type]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_flood_of_tiny_chunks_is_read_by_the_chunk(make: Make) -> None:
    """64 KiB in chunks of a byte take 10 ms one by one, and legs take turns: bytes alone do not bound that."""
    world = make(configuration(candidate()))
    _, mirror, _ = begun(world)
    mirror.receive(CHUNKED)
    assert len(mirror.protocol.get_buffer(-1)) == READ
    mirror.receive(b"1\r\na\r\n" * (READ // 6))
    for unit in (b"1\r\na\r\n", b"1;x\r\na\r\n", b"40\r\n" + b"a" * 64 + b"\r\n"):
        for _ in range(4):  # until the share is that of these chunks
            mirror.is_paused = False
            room = len(mirror.protocol.get_buffer(-1))
            mirror.receive(unit * (room // len(unit)))
        assert room // len(unit) <= CHUNKS
        assert mirror.is_paused, "a read of so many chunks is a turn"
    mirror.is_paused = False
    mirror.receive(b"1000\r\n" + bytes(0x1000) + b"\r\n")
    assert len(mirror.protocol.get_buffer(-1)) == READ, "an answer in proper chunks is read as any other"
    assert not mirror.is_paused


async def test_events_that_come_one_by_one_are_read_as_they_come(make: Make) -> None:
    world = make(configuration(candidate()))
    _, mirror, _ = begun(world)
    mirror.receive(CHUNKED)
    for number in range(500):
        mirror.receive(b"9\r\ndata: %d\n\n\r\n" % (number % 10))
        assert not mirror.is_paused
    assert len(mirror.protocol.get_buffer(-1)) == READ


def test_a_leg_that_used_up_its_turn_waits_for_the_next() -> None:
    loop, budget = reads()
    small, large = Reader(), Reader()
    budget.spend(small, 1000)  # type: ignore[arg-type]
    budget.spend(large, READ)  # type: ignore[arg-type]
    assert (small.reading, large.reading) == (True, False)
    loop.turn()
    assert large.reading
    assert loop.due == []


def test_all_legs_together_read_so_much_in_a_turn() -> None:
    loop, budget = reads()
    readers = [Reader() for _ in range(200)]
    for reader in readers:
        budget.spend(reader, READ - 1)  # type: ignore[arg-type]
    assert sum(reader.reading for reader in readers) == 64  # 64 × 65,535 are just below 4 MiB, the 65th is not
    loop.turn()
    assert sum(reader.reading for reader in readers) == 64 + STEP_LEGS  # the first of them 10 ms later
    loop.turn()
    assert 64 + STEP_LEGS < sum(reader.reading for reader in readers) <= 128 + STEP_LEGS
    assert all(reader.reading for reader in readers[64:120])  # round robin: who waited longest goes first
    loop.turn()
    loop.turn()
    assert all(reader.reading for reader in readers)
    assert loop.due == []


def test_legs_that_read_as_fast_as_they_may_are_let_on_a_few_at_a_time() -> None:
    """64 reads in one go would be 3 ms in which production's answer waits."""
    loop, budget = reads()
    readers = [Reader() for _ in range(100)]
    for reader in readers:
        budget.spend(reader, READ)  # type: ignore[arg-type]
    read = [0] * len(readers)
    began, most = loop.now, 0
    while loop.now < began + 100 * TURN_S:
        loop.step()
        let_on = [number for number, reader in enumerate(readers) if reader.reading]
        most = max(most, len(let_on))
        for number in let_on:
            read[number] += 1
            budget.spend(readers[number], READ)  # type: ignore[arg-type]
    assert most == STEP_LEGS
    assert sum(read) * READ <= 100 * TURN_BYTES
    assert sum(read) * READ >= 0.9 * 100 * TURN_BYTES
    assert max(read) - min(read) <= STEP_LEGS


def test_a_single_leg_reads_so_much_in_ten_milliseconds() -> None:
    loop, budget = reads()
    reader = Reader()
    began, read = loop.now, 0
    while loop.now < began + 100 * TURN_S:
        budget.spend(reader, READ)  # type: ignore[arg-type]
        read += 1
        loop.step()
    assert read in (100, 101)


def test_a_turn_in_which_nobody_was_paused_ends_by_the_clock() -> None:
    loop, budget = reads()
    readers = [Reader() for _ in range(200)]
    for reader in readers:
        loop.now += TURN_S / 32
        budget.spend(reader, READ - 1)  # type: ignore[arg-type]
    assert all(reader.reading for reader in readers)
    assert loop.due == []  # no timer either


def test_a_connection_that_closed_while_it_waited_is_passed_over() -> None:
    loop, budget = reads()
    reader = Reader()
    budget.spend(reader, READ)  # type: ignore[arg-type]
    reader.closed = True
    loop.turn()
    assert not reader.reading


async def test_a_leg_reads_through_the_shared_buffer(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    assert len(mirror.protocol.get_buffer(-1)) == READ
    mirror.receive(answer(2 * READ) + bytes(READ - len(answer(2 * READ))))
    assert mirror.is_paused
    await asyncio.sleep(0.02)
    assert not mirror.is_paused


async def test_time_in_which_a_leg_had_no_turn_is_not_the_candidate_s(make: Make, clock: Clock) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, _ = begun(world)
    upstream.receive(OK)
    size = 2 * READ
    mirror.receive(answer(size) + bytes(READ - len(answer(size))))
    clock.now += 7_000_000
    await asyncio.sleep(0.02)
    clock.now += 2_000_000
    mirror.receive(bytes(size - READ + len(answer(size)))[:READ])
    await asyncio.sleep(0.02)
    mirror.receive(bytes(len(answer(size))))
    assert (the_copy(world).total, the_copy(world).stalled) == (9_000_000, 7_000_000)


# -- what is sent
