"""Which files a PATH means, and how each of them ends.

A PATH is a directory (its `pairs-*.jsonl` and `ledger-*.jsonl`), one file, or a pattern of either. A file that is
being written may end in half a line: that line is *torn*. Any other line that is no record is *bad*; both are
counted, never fatal.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

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
    pairs: dict[Path, None] = {}
    ledgers: dict[Path, None] = {}
    for path in (found for named in wanted for found in _expand(named)):
        for file in _log_files(path) if path.is_dir() else [path]:
            _kind(file, pairs, ledgers)[file.resolve()] = None
    return Source(wanted, tuple(pairs), tuple(ledgers))


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


def _log_files(directory: Path) -> Iterable[Path]:
    return sorted(
        file for file in directory.iterdir() if file.suffix == ".jsonl" and file.name.startswith(("pairs-", "ledger-"))
    )


def _kind(file: Path, pairs: dict[Path, None], ledgers: dict[Path, None]) -> dict[Path, None]:
    if file.suffix != ".jsonl":
        raise SourceUnknown(f"{file}: expected a directory or a .jsonl file of a pair log")
    return ledgers if file.name.startswith("ledger") else pairs


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
