"""Finding and reading a log: directories and files, lines and columns, any mixture of them.

A segment that is being written, or whose writer was killed, may end in an unfinished line: it is *torn*, counted, never
fatal. A whole line that is no record of its kind is *bad*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from shadowproxy.pairlog.names import BODIES, COLUMNS, KINDS, LEDGER, LINES, PAIRS, is_superseded
from shadowproxy.pairlog.note import note_of
from shadowproxy.pairlog.record import VERSION

Record = dict[str, Any]

_RECORD_KIND: Final = {PAIRS: "pair", LEDGER: "ledger"}
_FIRST_LINE_BYTES: Final = 1 << 16
_MAX_LINE_BYTES: Final = 64 << 20
_STEP_BYTES: Final = 64 << 10
_RESTORING_BYTES: Final = 512 << 20


class Log:
    """The segments of a log, oldest name first. Nothing is read before it is asked for."""

    def __init__(self, pair_files: Iterable[Path], ledger_files: Iterable[Path]) -> None:
        self.pair_files = tuple(pair_files)
        self.ledger_files = tuple(ledger_files)

    @property
    def files(self) -> tuple[Path, ...]:
        return self.pair_files + self.ledger_files

    def pairs(self) -> Iterator[Record]:
        """Records of pairs, file after file; torn and bad lines are passed over."""
        return _records(self.pair_files, PAIRS)

    def ledger(self) -> Iterator[Record]:
        return _records(self.ledger_files, LEDGER)

    @cached_property
    def torn_lines(self) -> int:
        return sum(map(torn_lines_of, self.files))

    @cached_property
    def bad_lines(self) -> int:
        """Reads the whole log."""
        return sum(
            _record(line, kind) is None
            for kind, files in ((PAIRS, self.pair_files), (LEDGER, self.ledger_files))
            for file in files
            if not is_columns(file)
            for line in _lines(file)
        )


def find(paths: Iterable[Path]) -> Log:
    """The log in directories and files. FileNotFoundError names the path that is missing."""
    found: dict[str, dict[Path, Path]] = {kind: {} for kind in KINDS}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or directory")
        for kind, file in _inside(path) if path.is_dir() else [(_kind_of(path), path)]:
            if kind in found and not is_superseded(file):
                found[kind][file.resolve()] = file
    return Log(*(sorted(found[kind].values(), key=lambda file: (file.name, file)) for kind in KINDS))


def _inside(folder: Path) -> Iterator[tuple[str, Path]]:
    """Lines before columns: a segment that becomes columns while we look is found in one of its forms, or in both."""
    for form in (LINES, COLUMNS):
        for kind in KINDS:
            yield from ((kind, file) for file in folder.glob(f"{kind}-*.{form}"))


def is_columns(file: Path) -> bool:
    return file.suffix == f".{COLUMNS}"


def torn_lines_of(file: Path) -> int:
    return note_of(file).torn if is_columns(file) else int(is_torn(file))


def _kind_of(file: Path) -> str:
    """A file that somebody renamed says it in its first line; of columns only the name tells."""
    if file.name.startswith(f"{BODIES}-"):
        return BODIES
    for kind in KINDS:
        if file.name.startswith(f"{kind}-"):
            return kind
    if is_columns(file):
        return PAIRS
    with file.open("rb") as lines:
        return LEDGER if b'"kind":"ledger"' in lines.readline(_FIRST_LINE_BYTES).replace(b" ", b"") else PAIRS


def _records(files: Iterable[Path], kind: str) -> Iterator[Record]:
    for file in files:
        if is_columns(file):
            yield from _restored(file, kind)
            continue
        for line in _lines(file):
            record = _record(line, kind)
            if record is not None:
                yield record


def _restored(file: Path, kind: str) -> Iterator[Record]:
    from shadowproxy.pairlog import database, restore  # a log of lines alone needs no database

    with database.opened(_RESTORING_BYTES, 1) as con:
        yield from (restore.records if kind == PAIRS else restore.totals)(con, file)


def _lines(file: Path) -> Iterator[bytes]:
    """Whole lines, without empty ones."""
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n") and line.strip():
                yield line


def _record(line: bytes, kind: str) -> Record | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    is_ours = isinstance(record, dict) and record.get("v") == VERSION and record.get("kind") == _RECORD_KIND[kind]
    return record if is_ours else None


def is_torn(path: Path) -> bool:
    """Whether the file ends in half a line: no newline at the end, and what follows the last one is no JSON."""
    tail = _unfinished_line(path)
    if tail is None:
        return True
    if not tail.strip():
        return False
    try:
        msgspec.json.decode(tail)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return False


def _unfinished_line(path: Path) -> bytes | None:
    """What follows the last newline; None when that is longer than a line may be."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        tail = b""
        at = end
        while at > 0:
            step = min(_STEP_BYTES, at)
            at = file.seek(at - step)
            block = file.read(step)
            newline = block.rfind(b"\n")
            tail = block[newline + 1 :] + tail
            if newline >= 0:
                break
            if len(tail) > _MAX_LINE_BYTES:
                return None
    return tail
