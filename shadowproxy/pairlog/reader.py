"""Finding and reading a log: directories, files, any mixture of them.

A segment that is being written, or whose writer was killed, may end in an unfinished line: it is *torn*, counted, never
fatal. A whole line that is no record of its kind is *bad*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson

from shadowproxy.pairlog.names import KINDS, LEDGER, PAIRS
from shadowproxy.pairlog.record import VERSION

Record = dict[str, Any]

_RECORD_KIND: Final = {PAIRS: "pair", LEDGER: "ledger"}
_FIRST_LINE_BYTES: Final = 1 << 16


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
        return sum(map(_is_torn, self.files))

    @cached_property
    def bad_lines(self) -> int:
        """Reads the whole log."""
        return sum(
            _record(line, kind) is None
            for kind, files in ((PAIRS, self.pair_files), (LEDGER, self.ledger_files))
            for file in files
            for line in _lines(file)
        )


def find(paths: Iterable[Path]) -> Log:
    """The log in directories and files. FileNotFoundError names the path that is missing."""
    found: dict[str, dict[Path, Path]] = {kind: {} for kind in KINDS}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or directory")
        inside = [(kind, file) for kind in KINDS for file in path.glob(f"{kind}-*.jsonl")] if path.is_dir() else []
        for kind, file in inside or ([] if path.is_dir() else [(_kind_of(path), path)]):
            found[kind][file.resolve()] = file
    return Log(*(sorted(found[kind].values(), key=lambda file: (file.name, file)) for kind in KINDS))


def _kind_of(file: Path) -> str:
    """A file that somebody renamed says it in its first line."""
    for kind in KINDS:
        if file.name.startswith(f"{kind}-"):
            return kind
    with file.open("rb") as lines:
        return LEDGER if b'"kind":"ledger"' in lines.readline(_FIRST_LINE_BYTES).replace(b" ", b"") else PAIRS


def _records(files: Iterable[Path], kind: str) -> Iterator[Record]:
    for file in files:
        for line in _lines(file):
            record = _record(line, kind)
            if record is not None:
                yield record


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


def _is_torn(file: Path) -> bool:
    with file.open("rb") as lines:
        if lines.seek(0, 2) == 0:
            return False
        lines.seek(-1, 2)
        return lines.read(1) != b"\n"
