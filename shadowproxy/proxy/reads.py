"""How much mirrors may read of what candidates send: bytes that are held do not bound the CPU that reading takes."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shadowproxy.proxy.leg import MirrorConnection

READ: Final = 64 << 10  # bytes a leg reads in one turn
TURN_S: Final = 0.01
TURN_BYTES: Final = 4 << 20  # bytes that all legs of a worker read in 10 ms
STEP_S: Final = 0.001
STEP_LEGS: Final = 6  # legs that are let on at a time: 3.8 MiB in 10 ms, but no burst that production waits behind


class ReadBudget:
    """What all mirror legs of a worker may read: held bytes do not bound the CPU that discarding them takes.

    A leg that used up its turn is paused and gets its next one 10 ms later, round robin and a few legs at a time: 64
    reads in one go would be 3 ms in which nothing else is served. A timer is set only while legs are paused.
    """

    __slots__ = ("_loop", "_paused", "_scheduled", "_spent", "_turn_ends", "buffer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._paused: deque[tuple[MirrorConnection, float]] = deque()  # and when its next turn is due
        self._scheduled = False
        self._spent = 0
        self._turn_ends = 0.0
        self.buffer = memoryview(bytearray(READ))

    def spend(self, connection: MirrorConnection, size: int) -> None:
        now = self._loop.time()
        if now >= self._turn_ends:
            self._turn_ends = now + TURN_S
            self._spent = 0
        self._spent += size
        if size >= READ or self._spent >= TURN_BYTES:
            connection.transport.pause_reading()
            connection.paused_ns = perf_counter_ns()
            self._paused.append((connection, now + TURN_S))
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_later(TURN_S, self._step)

    def _step(self) -> None:
        self._scheduled = False
        now = self._loop.time()
        paused = self._paused
        let_on = 0
        while paused and paused[0][1] <= now and let_on < STEP_LEGS:
            connection, _ = paused.popleft()
            if not connection.closed:
                connection.read_on()
                let_on += 1
        if paused:
            self._scheduled = True
            self._loop.call_later(max(STEP_S, paused[0][1] - now), self._step)
