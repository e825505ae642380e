"""Which files a PATH means, and how each of them ends.

A PATH is a directory (its `pairs-*.jsonl` and `ledger-*.jsonl`), one file, or a pattern of either. A file that is
being written may end in half a line: that line is *torn*. Any other line that is no record is *bad*; both are
counted, never fatal.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from shadowproxy.pairlog import reader

DEFAULT_PATH = "./shadow-pairs"
MAX_LINE_BYTES = 64 << 20
_PATTERN_SIGNS = frozenset("*?[")
_STEP_BYTES = 64 << 10


class SourceMissing(Exception):
    """A path that names nothing; the message is a whole sentence."""


class SourceUnknown(Exception):
    """A file that is no part of a pair log as this version reads it; the message is a whole sentence."""


@dataclass(frozen=True, slots=True)
class Source:
    """Files of a pair log, each once, in the order of their names."""

    paths: tuple[str, ...]  # as the user wrote them
    pairs: tuple[Path, ...]
    ledgers: tuple[Path, ...]

    @property
    def named(self) -> str:
        return ", ".join(self.paths)

    @property
    def files(self) -> int:
        return len(self.pairs) + len(self.ledgers)


def find(paths: Sequence[str]) -> Source:
    """Raises SourceMissing for what is not there and SourceUnknown for what is no pair log."""
    wanted = tuple(paths) or (DEFAULT_PATH,)
    log = reader.find(_known(path) for named in wanted for path in _expand(named))
    return Source(wanted, log.pair_files, log.ledger_files)


def is_torn(path: Path) -> bool:
    """Whether the file ends in half a line: no newline at the end, and what follows the last one is no JSON."""
    tail = _unfinished_line(path)
    if tail is None:
        return True
    if not tail.strip():
        return False
    try:
        msgspec.json.decode(tail)
    except msgspec.DecodeError:
        return True
    return False


def without_overlong_lines(path: Path, copy: Path) -> int:
    """Copy a file but for its lines over MAX_LINE_BYTES, and say how many those were. Memory stays bounded."""
    left_out = 0
    with path.open("rb") as source, copy.open("wb") as target:
        while line := source.readline(MAX_LINE_BYTES):
            if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
                target.write(line)
                continue
            left_out += 1
            while line and not line.endswith(b"\n"):
                line = source.readline(MAX_LINE_BYTES)
    return left_out


def _expand(named: str) -> list[Path]:
    path = Path(named)
    if path.exists():
        return [path]
    found = sorted(glob.glob(named)) if _PATTERN_SIGNS & set(named) else []
    if not found:
        raise SourceMissing(f"{named}: no such file or directory (expected the directory of a pair log, or its files)")
    return [Path(name) for name in found]


def _known(path: Path) -> Path:
    if not path.is_dir() and path.suffix != ".jsonl":
        raise SourceUnknown(f"{path}: expected a directory or a .jsonl file of a pair log")
    return path


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
            if len(tail) > MAX_LINE_BYTES:
                return None
    return tail
