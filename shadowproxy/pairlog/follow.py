"""Pairs as they come: the ends of a log's segments of lines, read on and on.

A segment stays open here until it is read to its end, also when it is closed, becomes columns and is removed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from shadowproxy.pairlog import reader
from shadowproxy.pairlog.record import VERSION

_BLOCK: Final = 1 << 20
_LONGEST: Final = 64 << 20

Wanted = Callable[[dict[str, Any]], bool]


class Follower:
    """`new()` gives the records that were appended since the last call; the first call gives the last `lines`.

    Only those that are `wanted`: the first call looks back as far as it takes, but for the last 64 MiB of a file.
    """

    def __init__(self, paths: Iterable[Path], lines: int = 0, wanted: Wanted = lambda _: True) -> None:
        self._paths = tuple(paths)
        self._lines = lines
        self._wanted = wanted
        self._files: dict[int, _Tail] = {}  # by inode
        self._first = True

    def new(self) -> Iterator[dict[str, Any]]:
        before = set(self._files)
        self._look()
        found = [record for tail in list(self._files.values()) for record in tail.read() if self._wanted(record)]
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
                    self._files[inode] = _Tail(file, self._lines if self._first else None, self._wanted)


class _Tail:
    """From the last `lines` wanted on; None: from the beginning, for a segment that was begun while we looked."""

    def __init__(self, path: Path, lines: int | None, wanted: Wanted) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._rest = b""
        if lines is not None:
            self._file.seek(_start_of_last(self._file, lines, wanted))

    @property
    def is_gone(self) -> bool:
        return not self._path.exists()

    def read(self) -> Iterator[dict[str, Any]]:
        while data := self._file.read(_BLOCK):
            *lines, self._rest = (self._rest + data).split(b"\n")
            yield from (record for line in lines if (record := _record(line)) is not None)
            if len(self._rest) > _LONGEST:
                self._rest = b""

    def close(self) -> None:
        self._file.close()


def _record(line: bytes) -> dict[str, Any] | None:
    """The pair that a line holds, None where it holds none."""
    try:
        record = orjson.loads(line) if line.strip() else None
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and record.get("v") == VERSION and record.get("kind") == "pair" else None


def _start_of_last(file: BinaryIO, lines: int, wanted: Wanted) -> int:
    """Where the last so many wanted lines begin; behind the last whole line where there are to be none."""
    found = start = 0
    for number, (at, line) in enumerate(_backwards(file)):
        if number > 0 and found == lines:
            break
        start = at
        record = _record(line)
        found += record is not None and wanted(record)
    return start


def _backwards(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(where it begins, the line), the last first; what stands behind the last newline is a line too."""
    at = end = file.seek(0, 2)
    rest: list[bytes] = []  # the pieces of a line whose beginning has not been read yet, the last first
    while at > 0 and end - at < _LONGEST:
        step = min(_BLOCK, at)
        at = file.seek(at - step)
        first, *others = file.read(step).split(b"\n")
        if others:
            others[-1] += b"".join(reversed(rest))
            rest = []
            begins = at + len(first) + 1 + sum(len(line) + 1 for line in others)
            for line in reversed(others):
                begins -= len(line) + 1
                yield begins, line
        rest.append(first)
    yield at, b"".join(reversed(rest))
