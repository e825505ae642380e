"""A recorder's life: configured → ready → (prepared → committed)* → told to end → last worker gone, all on disk → exit.

It ends the same way on Drain, on Stop and when the supervisor is gone: whoever still sends pairs is listened to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from shadowproxy import logs
from shadowproxy.recorder.converting import Converting
from shadowproxy.recorder.plans import Plans
from shadowproxy.recorder.recording import Recording
from shadowproxy.recorder.shipment import Shipment, shipment
from shadowproxy.recorder.writer import LogWriter
from shadowproxy.settings.snapshot import Otel, Snapshot, decode
from shadowproxy.wire.child import Child
from shadowproxy.wire.messages import (
    Abort,
    Commit,
    Configure,
    Drain,
    Drained,
    Failed,
    Heartbeat,
    Hold,
    Prepare,
    Prepared,
    Stop,
    ToChild,
)

if TYPE_CHECKING:
    from shadowproxy.recorder.tracing import Tracing

TICK_S: Final = 1.0
# Whoever is about to end looks so long for a worker that is just about to connect again.
LAST_CALL_S: Final = 0.1
ORPHAN_CALL_S: Final = 2.0  # workers wait up to a second between two attempts


class Process:
    def __init__(self, slot: int, control_fd: int, listen_fd: int) -> None:
        self._slot = slot
        self._listen = socket.socket(fileno=listen_fd)
        self._child = Child(control_fd, "recorder", slot, self._on_message, self._on_orphaned)
        self._plans: Plans | None = None
        self._writer: LogWriter | None = None
        self._converting: Converting | None = None
        self._recording: Recording | None = None
        self._shipment: Shipment | None = None
        self._otel: Otel | None = None
        self._tracing: Tracing | None = None
        self._prepared: Snapshot | None = None
        self._call_s: float | None = None  # set once the end was ordered
        self._last_call: asyncio.TimerHandle | None = None
        self._failed = ""
        self._done = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on: dict[type[Any], Callable[[Any], None]] = {
            Configure: self._configure,
            Prepare: self._prepare,
            Commit: self._commit,
            Abort: self._abort,
            Drain: lambda _: self._end(LAST_CALL_S),
            Stop: lambda _: self._end(LAST_CALL_S),
            Hold: self._hold,
        }

    async def run(self) -> int:
        """The exit code."""
        await self._child.connect()
        await self._done.wait()
        if self._converting is not None:
            await self._converting.close()
        if self._writer is not None:
            self._writer.close()
        if self._shipment is not None:
            await asyncio.to_thread(self._shipment.close)
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        self._child.send(Failed(self._failed) if self._failed else Drained())
        self._child.close()
        await self._child.wait_closed()
        return 1 if self._failed else 0

    # -- the supervisor's messages ---------------------------------------------------------------------------------

    def _on_message(self, message: ToChild) -> None:
        handler = self._on.get(type(message))
        if handler is not None:
            handler(message)

    def _configure(self, message: Configure) -> None:
        if self._plans is not None:
            return
        try:
            snapshot = decode(message.snapshot)
            logs.configure(snapshot.log_format, snapshot.logs, process="recorder")
            self._plans = Plans(snapshot, logs.emit)
        except ValueError as e:
            self._fail(f"the recorder cannot use its configuration: {e}")
            return
        self._writer = LogWriter(snapshot.pairs, self._slot, logs.emit)
        self._converting = Converting(self._writer, logs.emit)
        self._recording = Recording(self._plans, self._writer, snapshot.pairs.flush, logs.emit, self._on_end)
        self._shipment = shipment(snapshot.logs, logs.emit)
        if self._shipment is not None:
            self._recording.also = self._shipment.take
        self._trace(snapshot.otel)
        task = asyncio.get_running_loop().create_task(self._listen_for_workers(), name="recorder listens")
        self._tasks.add(task)
        task.add_done_callback(self._listens)

    def _listens(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._fail(f"the socket for workers cannot be listened on: {fault}")

    async def _listen_for_workers(self) -> None:
        assert self._recording is not None
        # The socket's file stays the supervisor's: a successor listens on it.
        await asyncio.get_running_loop().create_unix_server(self._recording.connection, sock=self._listen)
        self._child.ready()
        self._child.start_heartbeat(self._heartbeat)
        self._tick()

    def _prepare(self, message: Prepare) -> None:
        error = ""
        try:
            snapshot = decode(message.snapshot)
            if self._plans is not None:
                self._plans.check(snapshot)
            self._prepared = snapshot
        except ValueError as e:
            error = str(e)
        self._child.send(Prepared(message.generation, error))

    def _commit(self, message: Commit) -> None:
        snapshot, self._prepared = self._prepared, None
        if snapshot is None or self._plans is None or self._recording is None or self._writer is None:
            return
        self._recording.flush()
        self._plans.commit(snapshot)
        self._writer.configure(snapshot.pairs)
        self._recording.flush_s = snapshot.pairs.flush
        if snapshot.otel != self._otel:
            self._trace(snapshot.otel)

    def _trace(self, settings: Otel | None) -> None:
        """Make spans by these settings from now on; none where the extra is not there, which is told."""
        assert self._recording is not None
        self._end_tracing()
        self._otel = settings
        if settings is None or settings.traces <= 0:
            return
        try:
            from shadowproxy.recorder.tracing import Tracing

            self._tracing = Tracing(settings, logs.emit)
        except ImportError as e:
            logs.emit("error", "otel.unavailable", why=str(e))
            return
        self._recording.trace = self._tracing.take

    def _end_tracing(self) -> None:
        tracing, self._tracing = self._tracing, None
        if tracing is None or self._recording is None:
            return
        self._recording.trace = None
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(tracing.close), name="last spans")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _abort(self, message: Abort) -> None:
        self._prepared = None

    def _hold(self, message: Hold) -> None:
        if self._converting is not None:
            self._converting.hold()

    def _fail(self, why: str) -> None:
        """Told at the end: a message may come before there is anything to answer with."""
        self._failed = why
        self._done.set()

    # -- each second -----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        asyncio.get_running_loop().call_later(TICK_S, self._tick)
        assert self._recording is not None
        assert self._writer is not None
        self._writer.tick()
        self._writer.write_ledger()
        if self._converting is not None:
            if self._recording.turns.is_behind:
                self._converting.hold()
            self._converting.tick()

    def _heartbeat(self) -> Heartbeat:
        assert self._recording is not None
        assert self._writer is not None
        stats = self._recording.tallies.stats(self._writer.log_bytes)
        stats.counters.update(logs.counters())
        if self._shipment is not None:
            stats.counters.update(self._shipment.counters())
        if self._tracing is not None:
            stats.counters.update(self._tracing.counters())
        return Heartbeat(stats, healthy=not self._writer.trouble, note=self._writer.trouble)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _on_orphaned(self) -> None:
        self._end(ORPHAN_CALL_S)

    def _end(self, call_s: float) -> None:
        self._call_s = call_s
        self._on_end()

    def _on_end(self) -> None:
        """A connection is over, or the end was ordered: if nobody is left, wait a moment whether somebody comes."""
        if self._call_s is not None and self._last_call is None and not self._is_wanted():
            self._last_call = asyncio.get_running_loop().call_later(self._call_s, self._finish)

    def _is_wanted(self) -> bool:
        return self._recording is not None and bool(self._recording.turns.connections)

    def _finish(self) -> None:
        self._last_call = None
        if self._is_wanted():
            return
        if self._recording is not None and self._writer is not None:
            self._writer.tick()  # the disk may have room again, for the last totals
            self._recording.flush()
        self._done.set()
