"""Pairs as they come: the ends of a log's segments of lines, read on and on.

A segment stays open here until it is read to its end, also when it is closed, becomes columns and is removed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from shadowproxy.pairlog import reader
from shadowproxy.pairlog.record import VERSION

_BLOCK: Final = 1 << 20
_LONGEST: Final = 64 << 20


class Follower:
    """`new()` gives the records that were appended since the last call; the first call gives the last `lines`."""

    def __init__(self, paths: Iterable[Path], lines: int = 0) -> None:
        self._paths = tuple(paths)
        self._lines = lines
        self._files: dict[int, _Tail] = {}  # by inode
        self._first = True

    def new(self) -> Iterator[dict[str, Any]]:
        before = set(self._files)
        self._look()
        found = [record for tail in list(self._files.values()) for record in tail.read()]
        if self._first:
            self._first = False
            found = found[-self._lines :] if self._lines else []
        for inode in before:
            if self._files[inode].is_gone:
                self._files.pop(inode).close()
        yield from found

    def close(self) -> None:
        for tail in self._files.values():
            tail.close()
        self._files.clear()

    def _look(self) -> None:
        for file in reader.find(self._paths).pair_files:
            if reader.is_columns(file):
                continue
            with suppress(FileNotFoundError):
                inode = file.stat().st_ino
                if inode not in self._files:
                    self._files[inode] = _Tail(file, self._lines if self._first else None)


class _Tail:
    """From the last `lines` on; None: from the beginning, for a segment that was begun while we looked."""

    def __init__(self, path: Path, lines: int | None) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._rest = b""
        if lines is not None:
            self._file.seek(_start_of_last(self._file, lines))

    @property
    def is_gone(self) -> bool:
        return not self._path.exists()

    def read(self) -> Iterator[dict[str, Any]]:
        while data := self._file.read(_BLOCK):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                with suppress(orjson.JSONDecodeError):
                    record = orjson.loads(line) if line.strip() else None
                    if isinstance(record, dict) and record.get("v") == VERSION and record.get("kind") == "pair":
                        yield record
            if len(self._rest) > _LONGEST:
                self._rest = b""

    def close(self) -> None:
        self._file.close()


def _start_of_last(file: BinaryIO, lines: int) -> int:
    """Where the last so many lines begin."""
    at = end = file.seek(0, 2)
    tail = b""
    while at > 0 and tail.count(b"\n") <= lines and end - at < _LONGEST:
        step = min(_BLOCK, at)
        at = file.seek(at - step)
        tail = file.read(step) + tail
    parts = tail.split(b"\n")
    kept = b"\n".join(parts[-(lines + 1) :])
    return end - len(kept)
