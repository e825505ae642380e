"""The way of a frame: HELLO, CONFIG, PAIR, LEDGER, BYE → plans, lines, one write, acknowledgements.

What becomes of a pair, as the worker is told:

    logged         its lines stand in the log
    disk           they could not be written; nothing of them is there
    queue_full     its lines would take more than `MAX_LINES`, or more memory than the recorder may have. It is not how
                   a recorder that is behind defends itself: it reads more slowly (`intake`), and workers act on that
    recorder_lost  nothing could be made of it: it names what its configuration has not, or the fault is ours, and an
                   event says which
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import orjson

from shadowproxy.core.outcome import DISK, LOGGED, QUEUE_FULL, RECORDER_LOST
from shadowproxy.pairlog.identity import Ids
from shadowproxy.pairlog.marks import Mark
from shadowproxy.pairlog.record import ledger_lines, timestamp
from shadowproxy.recorder import batch as batches
from shadowproxy.recorder.batch import Batch, Entry, acknowledge
from shadowproxy.recorder.intake import Connection, Turns
from shadowproxy.recorder.lines import Line, lines_of
from shadowproxy.recorder.plan import Plan
from shadowproxy.recorder.plans import Plans
from shadowproxy.recorder.tallies import Tallies
from shadowproxy.recorder.writer import Emit, LogWriter
from shadowproxy.wire import frames

BATCH_BYTES: Final = 256 << 10  # lines that wait are written when there are so many, at the latest after pairs.flush
LONGEST_WAIT_S: Final = (
    2.0  # or after this: a worker that ends waits 5 s for acknowledgements, however long pairs.flush is
)
# Frames wait so long for others: whoever begins to work finds the processor's caches full of what others do.
GATHER_S: Final = 0.04
COMPLAIN_EVERY_S: Final = 1.0  # a fault that every pair has must not fill the operator's log
MAX_LINES: Final = 64 << 20  # bytes of one pair's lines; readers of the log take no longer line
MAX_PLANS: Final = 64  # generations that one connection may speak of
MAX_LIVES: Final = 4096  # workers' lives that are remembered
_NOBODY: Final[frozenset[str]] = frozenset()


class Recording:
    """`plans` compiles configurations, `writer` owns the disk; `on_end(connection)` when one is over."""

    def __init__(self, plans: Plans, writer: LogWriter, flush_s: float, emit: Emit, on_end: Callable[[], None]) -> None:
        self.tallies = Tallies()
        self.also: Callable[[Sequence[Line]], None] | None = None  # who else gets what stands in the log; never blocks
        self.trace: Callable[[Plan, frames.Pair], None] | None = None
        self.turns = Turns(self._work, self._over)
        self.flush_s = flush_s
        self._plans = plans
        self._writer = writer
        self._emit = emit
        self._on_end = on_end
        self._ids = Ids()
        self._batch = Batch()
        self._timer: asyncio.TimerHandle | None = None
        self._marks: dict[tuple[int, int], Mark] = {}
        self._complained_at = -COMPLAIN_EVERY_S
        self._unsaid = 0  # complaints since the last that was told
        self._handlers: dict[int, Callable[[Connection, frames.Frame], None]] = {
            frames.HELLO: self._hello,
            frames.CONFIG: self._config,
            frames.PAIR: self._pair,
            frames.LEDGER: self._ledger,
            frames.BYE: self._bye,
        }

    @property
    def flush_s(self) -> float:
        return self._flush_s

    @flush_s.setter
    def flush_s(self, flush_s: float) -> None:
        """Gathering is part of it."""
        self._flush_s = min(flush_s, LONGEST_WAIT_S)
        self.turns.gather_s = min(GATHER_S, self._flush_s / 4)

    def connection(self) -> Connection:
        return Connection(self.turns)

    # -- frames ----------------------------------------------------------------------------------------------------

    def _work(self, connection: Connection) -> bool:
        """One frame. A peer that speaks nonsense is cut off; what it sent before stands."""
        try:
            frame = connection.next_frame()
            if frame is None:
                return False
            if connection.boot == 0 and frame.kind != frames.HELLO:
                raise frames.FrameError(f"a frame of kind {frame.kind} before HELLO")
            self._handlers[frame.kind](connection, frame)
        except Exception as e:  # noqa: BLE001 - the task's root: one bad connection must not end the others
            self._emit("error", "recorder.connection_refused", worker=connection.worker, why=_sentence(e))
            connection.discard()
            return False
        return True

    def _hello(self, connection: Connection, frame: frames.Frame) -> None:
        """The first thing on a connection. What an older one of the same worker left unread will come again."""
        life = frames.unpack_hello(frame.payload)
        for older in list(self.turns.connections):
            if older is not connection and (older.worker, older.boot) == life:
                older.discard()
        self.flush()
        connection.worker, connection.boot = life
        connection.mark = self._mark(life)
        connection.acknowledge(connection.mark.seq, LOGGED)

    def _mark(self, life: tuple[int, int]) -> Mark:
        mark = self._marks.get(life)
        if mark is None:
            mark = self._writer.mark(*life)
            self._remember(life, mark)
        return mark

    def _remember(self, life: tuple[int, int], mark: Mark) -> None:
        self._marks[life] = mark
        if len(self._marks) > MAX_LIVES:
            present = {(connection.worker, connection.boot) for connection in self.turns.connections}
            self._marks = {life: mark for life, mark in self._marks.items() if life in present}

    def _config(self, connection: Connection, frame: frames.Frame) -> None:
        generation = frame.seq
        connection.plans[generation] = self._plans.of(bytes(frame.payload))
        if len(connection.plans) > MAX_PLANS:
            del connection.plans[min(connection.plans)]

    def _pair(self, connection: Connection, frame: frames.Frame) -> None:
        seq, mark = frame.seq, connection.mark
        stands = mark.seq
        if seq <= stands:
            self._add(Entry(connection, seq, LOGGED, ()))
            return
        have = mark.candidates if seq == stands + 1 else _NOBODY
        self._add(Entry(connection, seq, *self._lines(connection, seq, frame.payload, have)))

    def _lines(
        self, connection: Connection, seq: int, payload: memoryview, have: frozenset[str]
    ) -> tuple[int, list[Line]]:
        """(status, lines); a pair that cannot be logged has none, and its worker counts it by the status."""
        try:
            pair = frames.unpack_pair(payload)
            plan = self._plans.current(connection.plans[pair.generation])
            self.tallies.timed(pair.exchanges, plan.upstreams)
            if self.trace is not None:
                self.trace(plan, pair)
            if self._writer.trouble:
                return DISK, []
            lines = lines_of(plan, pair, (connection.worker, connection.boot, seq), self._ids.next, have)
            size = 0
            for line in lines:
                size += len(line.data)
            return (LOGGED, lines) if size <= MAX_LINES else (QUEUE_FULL, [])
        except MemoryError:
            self._complain("recorder.out_of_memory", worker=connection.worker, seq=seq, bytes=len(payload))
            return QUEUE_FULL, []
        except Exception as e:  # noqa: BLE001 - one pair that we cannot read must not cost the others
            self._complain("recorder.pair_failed", worker=connection.worker, seq=seq, why=_sentence(e))
            return RECORDER_LOST, []

    def _complain(self, event: str, **fields: object) -> None:
        now = time.monotonic()
        if now - self._complained_at < COMPLAIN_EVERY_S:
            self._unsaid += 1
            return
        self._emit("error", event, unsaid_before=self._unsaid, **fields)
        self._complained_at, self._unsaid = now, 0

    def _ledger(self, connection: Connection, frame: frames.Frame) -> None:
        rows: list[dict[str, Any]] = orjson.loads(frame.payload)
        now = timestamp(time.time_ns() // 1000)
        lines = ledger_lines(rows, now, connection.worker, connection.boot)
        self._writer.keep_ledger(connection.worker, connection.boot, lines)
        self._schedule()

    def _bye(self, connection: Connection, frame: frames.Frame) -> None:
        self.flush()

    def _over(self, connection: Connection) -> None:
        self._on_end()

    # -- batches ---------------------------------------------------------------------------------------------------

    def _add(self, entry: Entry) -> None:
        self._batch.add(entry)
        if self._batch.size_bytes >= BATCH_BYTES or self._writer.trouble:
            self.flush()
        else:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_s - self.turns.gather_s, self.flush)

    def flush(self) -> None:
        """Write all that waits and say so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._batch.entries:
            batch, self._batch = self._batch, Batch()
            self._settle(batch)
        self._writer.write_ledger()

    def _settle(self, batch: Batch) -> None:
        data = batch.data
        entries = batch.settled(not data or self._writer.write_pairs(data))
        lines = batches.lines_of(entries)
        self.tallies.logged(lines)
        if self.also is not None:
            self.also(lines)
        # In the order of seq, so that the last one of a connection stays.
        for connection, seq in {entry.connection: entry.seq for entry in entries if entry.status == LOGGED}.items():
            if seq > connection.mark.seq:
                connection.mark = Mark(seq)
                self._marks[connection.worker, connection.boot] = connection.mark
        acknowledge(entries)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if not isinstance(error, msgspec.MsgspecError) else str(error)
