"""Which files a PATH means.

A PATH is a directory (its segments of pairs and of the ledger, as lines or as columns), one file, or a pattern of
either. The bodies of a segment of columns are found beside it.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from shadowproxy.pairlog import reader
from shadowproxy.pairlog.names import COLUMNS, LINES, bodies_of
from shadowproxy.pairlog.reader import is_columns

T = TypeVar("T")

DEFAULT_PATH = "./shadow-pairs"
_FORMS = frozenset({f".{LINES}", f".{COLUMNS}"})
_PATTERN_SIGNS = frozenset("*?[")


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
    def lines(self) -> tuple[Path, ...]:
        """Segments of pairs that are lines."""
        return tuple(file for file in self.pairs if not is_columns(file))

    @property
    def columns(self) -> tuple[Path, ...]:
        """Segments of pairs that are columns."""
        return tuple(file for file in self.pairs if is_columns(file))

    @property
    def ledger_lines(self) -> tuple[Path, ...]:
        return tuple(file for file in self.ledgers if not is_columns(file))

    @property
    def bodies(self) -> tuple[Path, ...]:
        """Of the segments that are columns, where they are still kept."""
        return tuple(bodies for file in self.columns if (bodies := bodies_of(file)).exists())

    @property
    def without_bodies(self) -> tuple[Path, ...]:
        """Segments that are columns, and whose bodies are gone."""
        return tuple(file for file in self.columns if not bodies_of(file).exists())

    @property
    def files(self) -> int:
        return len(self.pairs) + len(self.ledgers)


def find(paths: Sequence[str]) -> Source:
    """Raises SourceMissing for what is not there and SourceUnknown for what is no pair log."""
    wanted = tuple(paths) or (DEFAULT_PATH,)
    log = reader.find(_known(path) for named in wanted for path in _expand(named))
    return Source(wanted, log.pair_files, log.ledger_files)


def reading(paths: Sequence[str], work: Callable[[Source], T]) -> T:
    """`work` on the log. A segment that becomes columns while it is read is looked for again; raises as `find` does."""
    while True:
        source = find(paths)
        try:
            return work(source)
        except (FileNotFoundError, duckdb.IOException):
            if find(paths) == source:
                raise


def _expand(named: str) -> list[Path]:
    path = Path(named)
    if not named:
        raise SourceMissing("PATH is empty (expected the directory of a pair log, or its files)")
    if path.exists():
        return [path]
    found = sorted(glob.glob(named)) if _PATTERN_SIGNS & set(named) else []
    if not found:
        raise SourceMissing(f"{named}: no such file or directory (expected the directory of a pair log, or its files)")
    return [Path(name) for name in found]


def _known(path: Path) -> Path:
    if not path.is_dir() and path.suffix not in _FORMS:
        raise SourceUnknown(f"{path}: expected a directory or a .jsonl file of a pair log, or its .parquet file")
    return path
