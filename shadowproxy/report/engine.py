"""DuckDB for a report: how much of the machine it may have, and a place for what is read from lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from shadowproxy.pairlog import database, restore
from shadowproxy.pairlog.reader import is_columns

# A reader thread holds two buffers of twice the longest line that it may meet, so threads cost memory, not only cores.
_MAX_THREADS: Final = 4
_MEMORY_LIMIT: Final = 4 << 30
_MEMORY_FLOOR: Final = 1 << 30
_PATTERN_SIGNS: Final = frozenset("*?[\\")


@contextmanager
def opened(memory_bytes: int | None = None, threads: int = _MAX_THREADS) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory; what does not fit and what is read from lines goes to a directory that is removed."""
    with database.opened(memory_bytes or _memory_share(), min(os.cpu_count() or 1, threads)) as con:
        yield con


def scratch(con: duckdb.DuckDBPyConnection) -> Path:
    """A directory that lasts as long as the connection."""
    row = con.execute("SELECT current_setting('temp_directory')").fetchone()
    assert row is not None
    return Path(row[0])


def load(
    con: duckdb.DuckDBPyConnection,
    table: str,
    select: str,
    columns: Mapping[str, str],
    files: Sequence[Path],
    where: str = "true",
) -> None:
    """Create `table` as `select … FROM` the pairs' lines, from segments in either form.

    `columns` are those of `pairlog.schema.PAIRS`, as far as `select` needs them; `select` and `where` are ours, never
    the user's, and `where` speaks of columns that a pair has in either form.
    """
    lines = [file for file in files if not is_columns(file)]
    made = f"CREATE OR REPLACE TABLE {table} AS SELECT {select} FROM {database.LINES} AS line WHERE {where}"
    database.over_lines(con, made, columns, lines)
    for file in files:
        if is_columns(file):
            restore.lines(con, f"INSERT INTO {table} SELECT {select} FROM {database.LINES} AS line", file, where)


def lasting_names(con: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> list[str]:
    """Names under which DuckDB opens these very files for as long as the connection lasts."""
    names = []
    for file in files:
        name = os.path.abspath(file)
        if _PATTERN_SIGNS & set(name):
            links = scratch(con)
            name = str(links / f"link-{len(os.listdir(links))}{file.suffix}")
            os.symlink(file.resolve(), name)
        names.append(name)
    return names


def sentence(error: duckdb.Error) -> str:
    """DuckDB's message without its excerpt of the query and its advice."""
    first = str(error).strip().split("\n\n")[0]
    return " ".join(first.split())


def _memory_share() -> int:
    """Half of the machine's memory, between 1 and 4 GiB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_MEMORY_FLOOR, min(_MEMORY_LIMIT, machine // 2))
