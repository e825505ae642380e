"""Appending to segments: whole batches of lines or nothing.

Law: after `write` has returned, all of its bytes stand at the end of one segment; after it has raised OSError, none do
(what could not be taken back at once is taken back before anything else is written, see `_repair_to`). So a segment
ends with a newline unless its writer was killed within a write, and `adopt` cuts that rest off.

A writer holds an exclusive flock on its open segment. The lock dies with the process, so a segment that can be locked
belongs to nobody: its next owner may go on with it, convert it or delete it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from shadowproxy.pairlog.names import LINES, Segment, SegmentName, is_superseded, segments

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
# Bytes that one system call writes. Most kernels let nobody else have the core within one, and a worker that shares it
# with a recorder waited 4 ms for 6 MB.
PIECE: Final = 128 << 10
PROBE_BYTES: Final = 64 << 10  # a disk has room again when it has room for so much
_TAIL_BLOCK: Final = 1 << 20
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW

Write = Callable[[int, bytes | memoryview], int]


class Rotation(NamedTuple):
    """A segment is closed before it would exceed `size_bytes`, and at the age of `age_s`."""

    size_bytes: int
    age_s: float


class SegmentWriter:
    """The one open segment of a kind. `write_fd` is os.write, or what a test puts in its place."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        slot: int,
        rotation: Rotation,
        write_fd: Write = os.write,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.kind = kind
        self.rotation = rotation
        self.path: Path | None = None
        self._slot = slot
        self._write_fd = write_fd
        self._clock = clock
        self._fd = -1
        self._inode = -1
        self._opened_s = 0.0
        self._repair_to: int | None = None  # bytes beyond this are a rest that must go first
        self._counter = 0

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Append `data`, whole lines that belong together. Raises OSError, and then nothing of it is there."""
        size = self._prepare(len(data))
        try:
            self._write_all(memoryview(data))
        except OSError:
            self._repair_to = size
            self._repair()
            raise

    def _write_all(self, rest: memoryview) -> None:
        """Piece by piece. A short write says that something is wrong; the next call says what."""
        while rest:
            written = self._write_fd(self._fd, rest[:PIECE])
            if written == 0:
                raise OSError(errno.EIO, "the disk took no byte")
            rest = rest[written:]

    def _prepare(self, more: int) -> int:
        """A segment with room for `more` bytes is open; returns its size."""
        if self._fd >= 0 and not self._is_there():
            self.close()
        if self._fd >= 0:
            self._repair()
            if self._repair_to is not None:
                raise OSError(errno.EIO, f"{self.path} ends with an unfinished write that cannot be taken back")
            size = os.fstat(self._fd).st_size
            if size == 0 or (size + more <= self.rotation.size_bytes and not self._is_old()):
                return size
            self.close()
        self._open()
        return 0

    def _repair(self) -> None:
        if self._repair_to is None:
            return
        try:
            os.ftruncate(self._fd, self._repair_to)
        except OSError:
            return  # still to be done; `_prepare` refuses until it is
        self._repair_to = None

    def probe(self) -> None:
        """Whether `write` would succeed: raises OSError where it would not. Leaves no byte behind."""
        size = self._prepare(0)
        try:
            os.posix_fallocate(self._fd, size, PROBE_BYTES)
        finally:
            os.ftruncate(self._fd, size)

    # -- opening and closing ---------------------------------------------------------------------------------------

    def adopt(self) -> Path | None:
        """Go on with the newest segment of this slot if its writer is gone, after cutting off an unfinished line."""
        mine = [segment for segment in segments(self.folder, self.kind) if segment.name.slot == self._slot]
        if not mine or mine[-1].name.form != LINES:
            return None
        try:
            fd = os.open(mine[-1].path, _FLAGS)
        except FileNotFoundError:
            return None  # it has just become columns
        # Looked at under the lock: whoever turns lines into columns holds it until the lines are gone
        # (test_lines_beside_columns_are_not_adopted).
        if not lock(fd) or is_superseded(mine[-1].path) or os.fstat(fd).st_nlink == 0:
            os.close(fd)
            return None
        try:
            end = end_of_lines(fd)
            if end != os.fstat(fd).st_size:
                os.ftruncate(fd, end)
        except OSError:
            os.close(fd)
            raise
        self._take(fd, mine[-1].path, mine[-1].name.opened_s)
        return self.path

    def close(self) -> None:
        """The next write opens another segment. An empty one is removed."""
        if self._fd < 0:
            return
        fd, path, self._fd, self._repair_to = self._fd, self.path, -1, None
        self.path = None
        try:
            if path is not None and os.fstat(fd).st_size == 0:
                path.unlink(missing_ok=True)
        except OSError:
            pass  # an empty file more
        finally:
            os.close(fd)

    def close_if_empty(self) -> None:
        if self._fd >= 0 and os.fstat(self._fd).st_size == 0:
            self.close()

    def close_if_old(self) -> None:
        """A segment that nothing is written to must be closed at its age, too."""
        if self._fd >= 0 and self._is_old() and self._repair_to is None:
            self.close()

    def _is_old(self) -> bool:
        age_s = self._clock() - self._opened_s
        return age_s >= self.rotation.age_s or age_s < -self.rotation.age_s  # the clock was set back

    def _is_there(self) -> bool:
        """Nobody deleted, replaced or moved the file or its directory."""
        assert self.path is not None
        try:
            return os.stat(self.path, follow_symlinks=False).st_ino == self._inode
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        _make_folder(self.folder)
        known = segments(self.folder, self.kind)
        self._counter = max([self._counter, *(segment.name.counter for segment in known)]) + 1
        now = self._clock()
        path = self.folder / str(SegmentName(self.kind, int(now), self._slot, os.getpid(), self._counter))
        fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, FILE_MODE)
        if not lock(fd):
            os.close(fd)
            raise OSError(errno.EBUSY, f"{path} was taken by another recorder as soon as it was there")
        self._take(fd, path, now)

    def _take(self, fd: int, path: Path, opened_s: float) -> None:
        self._fd, self.path, self._opened_s = fd, path, opened_s
        self._inode = os.fstat(fd).st_ino
        self._repair_to = None


def is_open(segment: Segment) -> bool:
    """Whether some writer has it open."""
    try:
        fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not lock(fd)
    finally:
        os.close(fd)


def end_of_lines(fd: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - _TAIL_BLOCK)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def lock(fd: int) -> bool:
    """Take the writer's lock; False where somebody has it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: nobody can hold one
    return True


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
