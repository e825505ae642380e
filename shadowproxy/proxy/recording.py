"""The line to the recorder: pairs wait here until it has acknowledged them.

Law: every pair that was offered gets exactly one fate: logged, unlogged for the recorder's reason, or recorder_lost
because it did not fit. A pair that was sent but not acknowledged is sent again to the recorder that comes next, which
knows what the log holds. What waits is part of `mirror.max_buffered`, at most half of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, cast

from shadowproxy.core.outcome import LOGGED, RECORDER_LOST
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.core.budget import Budget
    from shadowproxy.core.ledger import Row

Fate = tuple["Row", int]  # a leg's row, and its outcome

BATCH: Final = 64 << 10  # bytes that are written at once
# Pairs that are packed in one go, some 3 µs each: code that has just run finds itself in the caches, and costs half.
TOGETHER: Final = 24
FLUSH_S: Final = 0.01  # how long a pair waits for others: a write and a wake-up of the recorder for each cost too much
UNSENT: Final = 4 << 20  # bytes in the socket's buffer above which the rest waits in the ring
RETRY_S: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class Pair(Protocol):
    """An exchange of production's with the legs that left of it."""

    def pack(self) -> None:
        """Offer itself."""


class _Waiting:
    """One pair: its frame, what it costs, and whose ledger rows wait for its fate."""

    __slots__ = ("buffers", "cost", "fates", "generation", "seq")

    def __init__(
        self, seq: int, generation: int, buffers: bytes | list[bytes | bytearray], cost: int, fates: list[Fate]
    ) -> None:
        self.seq = seq
        self.generation = generation
        self.buffers = buffers
        self.cost = cost
        self.fates = fates


class Recording(asyncio.Protocol):
    """`snapshot_of(generation)` gives the configuration, as JSON, that a pair's generation names."""

    def __init__(self, path: str, worker: int, boot: int, budget: Budget, snapshot_of: Callable[[int], bytes]) -> None:
        self._path = path
        self._worker = worker
        self._boot = boot
        self._budget = budget
        self._snapshot_of = snapshot_of
        self._ring: deque[_Waiting] = deque()
        self._unsent: deque[_Waiting] = deque()  # the ring's tail that this connection has not seen
        self._settled: deque[Pair] = deque()  # to be packed
        self._seq = 0
        self._transport: asyncio.Transport | None = None
        self._decoder = frames.Decoder(limit=64)
        self._configured: set[int] = set()
        self._greeted = False
        self._scheduled = False
        self._full = False
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._progress = asyncio.Event()
        self._lost = asyncio.Event()
        self.bytes = 0
        # Half of what may wait is waiting: candidates should not work for pairs that cannot be kept.
        self.is_behind = False

    # -- offered by exchanges --------------------------------------------------------------------------------------

    def settle(self, pair: Pair) -> None:
        """All of its exchanges have ended: it is packed with others, `FLUSH_S` later at most where somebody listens."""
        settled = self._settled
        settled.append(pair)
        if len(settled) >= TOGETHER:
            self.pack()
        elif not self._scheduled and self._greeted:
            self._scheduled = True
            self._loop.call_later(FLUSH_S, self._send)

    def pack(self) -> None:
        settled = self._settled
        while settled:  # one at a time: a `pack` that raises loses no other
            settled.popleft().pack()

    def next_seq(self) -> int:
        """The number of the pair that is offered next; a number that is not offered would be a gap."""
        self._seq += 1
        return self._seq

    def offer(self, seq: int, generation: int, buffers: list[bytes | bytearray], cost: int, fates: list[Fate]) -> bool:
        """Take the frame of pair `seq`, `cost` bytes long, or count it as lost and say so."""
        held = self.bytes + cost
        budget = self._budget
        if held * 2 > budget.limit or not budget.take(cost):
            _settle(fates, RECORDER_LOST)
            return False
        # One buffer a small frame: a ring of many small objects would cost more than the copy.
        waiting = _Waiting(seq, generation, b"".join(buffers) if cost <= BATCH else buffers, cost, fates)
        self.bytes = held
        self.is_behind = held * 4 > budget.limit
        self._ring.append(waiting)
        self._unsent.append(waiting)
        if not self._scheduled and self._greeted:
            self._scheduled = True
            self._loop.call_later(FLUSH_S, self._send)
        return True

    def send_ledger(self, rows: bytes) -> None:
        """Totals are cumulative: what is not sent now is made good by the next."""
        if self._transport is not None and self._greeted:
            self._transport.write(frames.ledger(rows))

    # -- the connection --------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = self._loop.create_task(self._connect(), name="recorder connection")

    async def _connect(self) -> None:
        attempt = 0
        while self._transport is None and not self._closing:
            with suppress(OSError):
                await self._loop.create_unix_connection(lambda: self, self._path)
                return
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNSENT)
        self._decoder = frames.Decoder(limit=64)
        self._configured.clear()
        self._greeted = False
        self._full = False
        self._lost.clear()
        self._transport.write(frames.hello(self._worker, self._boot))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._greeted = False
        self._lost.set()
        if not self._closing:
            self.start()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._send()

    def data_received(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            if frame.kind != frames.ACK:
                continue
            if self._greeted:
                self._acknowledge(frame.seq, frames.unpack_ack(frame.payload))
            else:
                self._greet(frame.seq)

    def _greet(self, mark: int) -> None:
        """The first ACK says what the log holds already; the rest is due to this recorder."""
        self._greeted = True
        self._acknowledge(mark, LOGGED)
        self._unsent = deque(self._ring)
        self._send()

    def _acknowledge(self, seq: int, status: int) -> None:
        ring = self._ring
        given = 0
        while ring and ring[0].seq <= seq:
            waiting = ring.popleft()
            given += waiting.cost
            for row, outcome in waiting.fates:
                row.finish(outcome, status)
        if given:
            self.bytes -= given
            self.is_behind = self.bytes * 4 > self._budget.limit
            self._budget.give(given)
            self._progress.set()  # here: an ACK that only greets, or repeats, is no progress

    def _send(self) -> None:
        self.pack()
        self._scheduled = False
        transport = self._transport
        if transport is None or not self._greeted:
            return
        out: list[bytes | bytearray] = []
        size = 0
        unsent = self._unsent
        while unsent and not self._full:
            waiting = unsent.popleft()
            if waiting.generation not in self._configured:
                self._configured.add(waiting.generation)
                out.append(frames.config(self._snapshot_of(waiting.generation), waiting.generation))
            if isinstance(waiting.buffers, bytes):
                out.append(waiting.buffers)
            else:
                out += waiting.buffers
            size += waiting.cost
            if size >= BATCH:
                transport.writelines(out)
                out, size = [], 0
        if out:
            transport.writelines(out)

    # -- the end ---------------------------------------------------------------------------------------------------

    async def drain(self, patience_s: float) -> int:
        """Wait until every pair is acknowledged, for as long as acknowledgements come.

        What is still waiting after `patience_s` without any is counted as lost. Returns how many were.
        """
        self.pack()
        left = len(self._ring) + 1
        while self._ring and len(self._ring) < left:
            left = len(self._ring)
            self._progress.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._progress.wait()
        lost = len(self._ring)
        while self._ring:
            waiting = self._ring.popleft()
            self._budget.give(waiting.cost)
            _settle(waiting.fates, RECORDER_LOST)
        self.bytes = 0
        self._unsent.clear()
        return lost

    async def close(self, last_ledger: bytes) -> None:
        """Say the last totals and goodbye."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
        transport = self._transport
        if transport is not None:
            transport.write(frames.ledger(last_ledger))
            transport.write(frames.bye())
            transport.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(5.0):
                    await self._lost.wait()

    def generations(self) -> Iterable[int]:
        """Generations that waiting pairs name."""
        return {waiting.generation for waiting in self._ring}


def _settle(fates: list[Fate], status: int) -> None:
    for row, outcome in fates:
        row.finish(outcome, status)
