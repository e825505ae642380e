"""Graphite's plaintext protocol over TCP: `path value timestamp\\n`, totals as totals.

What carbon has not taken yet waits in a buffer with a limit; beyond it the oldest is dropped, and counted. A batch is
kept until the next has been written to the same connection: TCP takes bytes for a peer that is gone already, and a
sample that comes twice is the same sample.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from typing import Final

import structlog

from shadowproxy.admin.tasks import end
from shadowproxy.settings.snapshot import Graphite

from .names import clean, joined, tag_text
from .samples import Sample

CONNECT_S: Final = 5.0
WRITE_S: Final = 10.0  # a peer that takes nothing for so long is as good as gone
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0

_log = structlog.get_logger()


class Batch:
    """The lines of one push."""

    __slots__ = ("data", "lines")

    def __init__(self, lines: list[bytes]) -> None:
        self.data = b"".join(lines)
        self.lines = len(lines)


class GraphitePush:
    """`start` must be called within a running loop, before the first `push`."""

    def __init__(self, settings: Graphite, pause_s: float = FIRST_PAUSE_S) -> None:
        self.sent = 0  # samples
        self.dropped = 0
        self._settings = settings
        self._first_pause_s = self._pause_s = pause_s
        self._waiting: deque[Batch] = deque()
        self._held_bytes = 0
        self._unproven: Batch | None = None  # written, and nothing after it yet
        self._more = asyncio.Event()
        self._is_away = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="push to graphite")

    async def push(self, grown: Iterable[tuple[Sample, float]], at: float) -> None:
        lines = [self._line(sample, int(at)) for sample, _ in grown]
        batch = Batch(lines)
        self._waiting.append(batch)
        self._held_bytes += len(batch.data)
        while self._held_bytes > self._settings.buffer:
            gone = self._waiting.popleft()
            self._held_bytes -= len(gone.data)
            self.dropped += gone.lines
        self._more.set()

    def _line(self, sample: Sample, at: int) -> bytes:
        settings = self._settings
        if settings.tags:
            tags = "".join(f";{clean(label)}={tag_text(value)}" for label, value in sample.labels)
            path = settings.prefix + sample.name + tags
        else:
            path = settings.prefix + joined(sample.name, sample.labels)
        return f"{path} {sample.value:.12g} {at}\n".encode()

    # -- the connection --------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Until cancelled."""
        while True:
            await self._more.wait()
            try:
                await self._talk()
            except (OSError, TimeoutError) as e:
                self._complain(e)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)

    async def _talk(self) -> None:
        """One connection, for as long as it lasts."""
        host, _, port = self._settings.to.rpartition(":")
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        end = asyncio.ensure_future(reader.read(1))  # carbon says nothing: whatever comes is its end
        try:
            self._again()
            while not end.done():
                while self._waiting and not end.done():
                    await self._write(writer)
                self._more.clear()
                more = asyncio.ensure_future(self._more.wait())
                await asyncio.wait((end, more), return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
            raise ConnectionResetError("carbon closed the connection")
        finally:
            end.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await end
            writer.close()

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        batch = self._waiting[0]
        writer.write(batch.data)
        async with asyncio.timeout(WRITE_S):
            await writer.drain()
        # The buffer may have been cut meanwhile, from this very end.
        if self._waiting and self._waiting[0] is batch:
            self._waiting.popleft()
            self._held_bytes -= len(batch.data)
        if self._unproven is not None:
            self.sent += self._unproven.lines
            self._pause_s = self._first_pause_s
        self._unproven = batch
        if self._is_away:
            self._is_away = False
            _log.info("graphite.back", to=self._settings.to)

    def _again(self) -> None:
        """What was written last to the connection before may never have arrived."""
        if self._unproven is not None:
            self._waiting.appendleft(self._unproven)
            self._held_bytes += len(self._unproven.data)
            self._unproven = None

    def _complain(self, error: BaseException) -> None:
        self._more.set()  # what waits is tried again
        if not self._waiting and self._unproven is None:
            self._more.clear()
        if not self._is_away:
            self._is_away = True
            _log.warning("graphite.away", to=self._settings.to, why=str(error) or type(error).__name__)

    async def close(self) -> None:
        await end(self._task)
        self._task = None
