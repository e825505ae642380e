"""Closed segments become columns in a process of their own, which this one starts, stops for a while, and may kill.

Law: it costs production nothing. At most one such process, one segment at a time, at the lowest priority; it is stopped
(SIGSTOP) as soon as a worker's loop is late or the recorder is behind, and goes on when both have been well for
`QUIET_S`. It can be killed at any moment (`pairlog.convert`).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import orjson

from shadowproxy.pairlog.names import CONVERTED, KINDS, LINES, segments
from shadowproxy.pairlog.segment import is_open
from shadowproxy.recorder.writer import Emit

QUIET_S: Final = 5.0
LOOK_EVERY_S: Final = 5.0
_COMMAND: Final = (sys.executable, "-P", "-m", "shadowproxy.pairlog")


class Placed(Protocol):
    @property
    def folder(self) -> Path: ...


class Converting:
    """`log` says where the log is now; `emit(level, event, **fields)` gets what operators should know."""

    def __init__(self, log: Placed, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._emit = emit
        self._clock = clock
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._disturbed_at = clock()  # a proxy that has just been started has better things to do
        self._looked_at = -LOOK_EVERY_S
        self._left: set[str] = set()  # names of segments that cannot be converted: not tried again in this life
        self._closing = False

    def hold(self) -> None:
        """Somebody who matters more needs the processor."""
        self._disturbed_at = self._clock()
        if self._process is not None and not self._stopped:
            self._stopped = self._signal(signal.SIGSTOP)

    def tick(self) -> None:
        now = self._clock()
        if now - self._disturbed_at < QUIET_S:
            return
        if self._stopped:
            self._stopped = not self._signal(signal.SIGCONT)
        if self._task is None and not self._closing and now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            if self._has_work():
                self._task = asyncio.get_running_loop().create_task(self._convert(), name="converting")

    async def close(self) -> None:
        """What is unfinished is begun anew by whoever comes next."""
        self._closing = True
        self._signal(signal.SIGKILL)
        if self._task is not None:
            await asyncio.wait([self._task])

    def _has_work(self) -> bool:
        try:
            return any(
                segment.name.form == LINES
                and segment.size_bytes > 0
                and segment.path.name not in self._left
                and not is_open(segment)
                for kind in KINDS
                for segment in segments(self._log.folder, kind)
            )
        except OSError:
            return False  # the writer complains about it

    async def _convert(self) -> None:
        folder = self._log.folder
        try:
            self._process = await asyncio.create_subprocess_exec(*_COMMAND, str(folder), stdin=PIPE, stdout=PIPE)
            assert self._process.stdout is not None
            if self._closing:
                self._signal(signal.SIGKILL)
            elif self._clock() - self._disturbed_at < QUIET_S:  # while it was being started
                self._stopped = self._signal(signal.SIGSTOP)
            async for line in self._process.stdout:
                self._told(line)
            code = await self._process.wait()
            if code and not self._closing:
                self._emit("warning", "log.converter_ended", dir=str(folder), code=code)
        except OSError as e:
            self._emit("warning", "log.not_converted", dir=str(folder), why=str(e))
        finally:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            self._process, self._task, self._stopped = None, None, False

    def _told(self, line: bytes) -> None:
        with suppress(ValueError):
            told = orjson.loads(line)
            if told["state"] == CONVERTED:
                self._emit("info", "log.segment_converted", file=told["file"])
            else:
                self._left.add(told["file"])
                self._emit("warning", "log.not_converted", file=told["file"], why=told["why"])

    def _signal(self, number: signal.Signals) -> bool:
        """Whether it was sent."""
        if self._process is None or self._process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
            return True
        return False
