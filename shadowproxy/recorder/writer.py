"""The two open segments, pairs and ledger, and whether the disk takes anything.

Law: `write_pairs` says whether all of a batch stands in the log. When it does not, nothing is tried until `tick` (each
second) has found that there is room again; both changes are told once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shadowproxy.pairlog.marks import Mark, mark_of
from shadowproxy.pairlog.names import LEDGER, PAIRS, segments
from shadowproxy.pairlog.retention import Limits, free_bytes, prune, size_of
from shadowproxy.pairlog.segment import Rotation, SegmentWriter
from shadowproxy.settings.snapshot import Pairs

PRUNE_EVERY_S: Final = 60.0
MEASURE_EVERY_S: Final = 5.0

Emit = Callable[..., None]


class LogWriter:
    """`emit(level, event, **fields)` gets what operators should know."""

    def __init__(self, settings: Pairs, slot: int, emit: Emit, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble = ""  # why nothing can be written, "" when it can
        self.log_bytes = 0
        self._settings = settings
        self._slot = slot
        self._emit = emit
        self._clock = clock
        self._writers: dict[str, SegmentWriter] = {}
        self._adopted: set[str] = set()
        self._ledger: dict[tuple[int, int], bytes] = {}  # the newest rows of each worker that are not written
        self._pruned_at = self._measured_at = -PRUNE_EVERY_S
        self._open()

    @property
    def folder(self) -> Path:
        return Path(self._settings.dir)

    def configure(self, settings: Pairs) -> None:
        """Takes effect with the next write. Another directory begins with segments of its own."""
        moved = settings.dir != self._settings.dir
        self._settings = settings
        if moved:
            self.close()
            self._open()
        for writer in self._writers.values():
            writer.rotation = self._rotation()
        self._pruned_at = self._measured_at = -PRUNE_EVERY_S

    def mark(self, worker: int, boot: int) -> Mark:
        """How far the log has come for this worker; nothing where the directory cannot be read."""
        try:
            return mark_of(reversed(segments(self.folder, PAIRS)), worker, boot)
        except OSError as e:
            self._emit("warning", "log.unreadable", dir=str(self.folder), why=_why(e))
            return Mark(0)

    # -- writing ---------------------------------------------------------------------------------------------------

    def write_pairs(self, data: bytes) -> bool:
        """All of it, or nothing and False."""
        if self.trouble:
            return False
        try:
            self._adopt()
            self._writers[PAIRS].write(data)
        except OSError as e:
            self._failed(_why(e))
            return False
        self.log_bytes += len(data)
        return True

    def keep_ledger(self, worker: int, boot: int, lines: bytes) -> None:
        """Totals are cumulative: of rows that could not be written only the newest are kept."""
        self._ledger[worker, boot] = lines

    @property
    def has_ledger(self) -> bool:
        return bool(self._ledger)

    def write_ledger(self) -> None:
        if not self._ledger or self.trouble:
            return
        data = b"".join(self._ledger.values())
        try:
            self._adopt()
            self._writers[LEDGER].write(data)
        except OSError as e:
            self._failed(_why(e))
            return
        self._ledger.clear()
        self.log_bytes += len(data)

    # -- each second -----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        self._look_at_disk()
        if self.trouble:
            return
        for writer in self._writers.values():
            writer.close_if_old()
        now = self._clock()
        if now - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = now
            self._prune()
        if now - self._measured_at >= MEASURE_EVERY_S:
            self._measured_at = now
            self.log_bytes = size_of(self.folder)

    def _look_at_disk(self) -> None:
        """Ask before the next pair does; what was wrong may be over, or there is too little room left."""
        try:
            free = free_bytes(self.folder)
            if free < self._settings.keep.free:
                self._failed(f"{free} bytes are free, keep.free is {self._settings.keep.free}")
                return
            if not self.trouble:
                return
            self._adopt()
            for writer in self._writers.values():
                writer.probe()
        except OSError as e:
            self._failed(_why(e))
            return
        self.trouble = ""
        self._emit("info", "log.writable", dir=str(self.folder))

    def _failed(self, why: str) -> None:
        if not self.trouble:
            self._emit("error", "log.unwritable", dir=str(self.folder), why=why)
        self.trouble = why

    def _prune(self) -> None:
        keep = self._settings.keep
        try:
            gone = prune(self.folder, Limits(keep.pairs, keep.size, keep.bodies), time.time())
        except OSError as e:
            self._emit("warning", "log.not_pruned", dir=str(self.folder), why=_why(e))
            return
        for segment in gone:
            self._emit("info", "log.segment_deleted", file=segment.path.name, bytes=segment.size_bytes)

    # -- opening and closing ---------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._writers = {
            kind: SegmentWriter(self.folder, kind, self._slot, self._rotation()) for kind in (PAIRS, LEDGER)
        }
        self._adopted = set()
        try:
            self._adopt()
            # An operator who cannot write there should hear of it before the first pair.
            for writer in self._writers.values():
                writer.probe()
                writer.close_if_empty()
        except OSError as e:
            self._failed(_why(e))

    def _adopt(self) -> None:
        """Before anything is written: what the recorder before us left unfinished."""
        for kind, writer in self._writers.items():
            if kind not in self._adopted:
                adopted = writer.adopt()
                self._adopted.add(kind)
                if adopted is not None:
                    self._emit("info", "log.segment_adopted", file=adopted.name)

    def _rotation(self) -> Rotation:
        return Rotation(self._settings.rotate.size, self._settings.rotate.age)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


def _why(error: OSError) -> str:
    name = os.strerror(error.errno) if error.errno else str(error)
    return f"{error.filename}: {name}" if error.filename else str(error)
