"""DuckDB, held within limits, and the one way in which JSONL is read into it.

Paths are bound as parameters and never pasted into SQL, and a file called `a[1]*.jsonl` means itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from shadowproxy.pairlog.schema import columns_clause
from shadowproxy.report.source import MAX_LINE_BYTES, without_overlong_lines

# A reader thread holds two buffers of twice the longest line that it may meet, so threads cost memory, not only cores.
_MAX_THREADS = 4
_MEMORY_LIMIT = 4 << 30
_MEMORY_FLOOR = 1 << 30
# Most logs have no line above 16 MiB, and smaller buffers let the threads share a file.
_LINE_LIMITS = (16 << 20, MAX_LINE_BYTES)
_TOO_LONG = "maximum_object_size"
_PATTERN_SIGNS = frozenset("*?[\\")


@contextmanager
def opened(memory_bytes: int | None = None, threads: int = _MAX_THREADS) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into a directory of its own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="shadowproxy-report-", ignore_cleanup_errors=True) as spill:
        con = duckdb.connect(
            config={
                "memory_limit": f"{(memory_bytes or _memory_share()) >> 20}MiB",
                "temp_directory": spill,
                "threads": min(os.cpu_count() or 1, threads),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        try:
            con.execute("SET TimeZone = 'UTC'")
            yield con
        finally:
            con.close()


def load(
    con: duckdb.DuckDBPyConnection,
    table: str,
    select: str,
    columns: Mapping[str, str],
    files: Sequence[Path],
    where: str = "true",
) -> int:
    """Create `table` as `select … FROM` the files' lines; returns how many lines were left out as longer than 64 MiB.

    `select` and `where` are ours, never the user's. A line that is no JSON object comes as a row of NULLs.
    """
    if not files:
        empty = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
        con.execute(f"CREATE TABLE {table} AS SELECT {select} FROM (SELECT {empty}) AS line WHERE false")
        return 0
    for limit in _LINE_LIMITS:
        try:
            _read(con, table, select, columns, files, where, limit)
            return 0
        except duckdb.InvalidInputException as e:
            if _TOO_LONG not in str(e):
                raise
    with tempfile.TemporaryDirectory(prefix="shadowproxy-lines-") as scratch:
        copies = [Path(scratch, f"{number}.jsonl") for number in range(len(files))]
        left_out = sum(without_overlong_lines(file, copy) for file, copy in zip(files, copies, strict=True))
        _read(con, table, select, columns, copies, where, MAX_LINE_BYTES)
    return left_out


def _read(
    con: duckdb.DuckDBPyConnection,
    table: str,
    select: str,
    columns: Mapping[str, str],
    files: Sequence[Path],
    where: str,
    max_line_bytes: int,
) -> None:
    with literally(files) as names:
        con.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT {select} FROM read_json($files, format = 'newline_delimited', "
            f"columns = {columns_clause(columns)}, ignore_errors = true, maximum_object_size = $longest, "
            f"hive_partitioning = false, compression = 'uncompressed') AS line WHERE {where}",
            {"files": names, "longest": max_line_bytes},
        )


@contextmanager
def literally(files: Sequence[Path]) -> Iterator[list[str]]:
    """Names under which DuckDB opens these very files.

    A name with signs of its patterns goes by a link: `*?[` could be escaped, a backslash in a pattern cannot.
    """
    with tempfile.TemporaryDirectory(prefix="shadowproxy-links-") as links:
        names = []
        for number, file in enumerate(files):
            name = os.path.abspath(file)
            if _PATTERN_SIGNS & set(name):
                name = os.path.join(links, f"{number}{file.suffix}")
                os.symlink(file.resolve(), name)
            names.append(name)
        yield names


def sentence(error: duckdb.Error) -> str:
    """DuckDB's message without its excerpt of the query and its advice."""
    first = str(error).strip().split("\n\n")[0]
    return " ".join(first.split())


def _memory_share() -> int:
    """Half of the machine's memory, between 1 and 4 GiB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_MEMORY_FLOOR, min(_MEMORY_LIMIT, machine // 2))
