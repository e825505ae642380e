"""DuckDB, held within limits, and the one way in which lines are read into it.

Paths are bound as parameters and never pasted into SQL, and a file called `a[1]*.jsonl` means itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from shadowproxy.pairlog.schema import columns_clause

MAX_LINE_BYTES: Final = 64 << 20
# Most logs have no line above 16 MiB, and smaller buffers let the threads share a file.
_LINE_LIMITS: Final = (16 << 20, MAX_LINE_BYTES)
_TOO_LONG: Final = "maximum_object_size"
_PATTERN_SIGNS: Final = frozenset("*?[\\")
LINES: Final = "$LINES"  # in a statement: where the lines are read


@contextmanager
def opened(memory_bytes: int, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into a directory of its own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="shadowproxy-spill-", ignore_cleanup_errors=True) as spill:
        con = duckdb.connect(
            config={
                "memory_limit": f"{memory_bytes >> 20}MiB",
                "temp_directory": spill,
                "threads": threads,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        try:
            con.execute("SET TimeZone = 'UTC'")
            con.execute("SET enable_progress_bar = false")  # it would be drawn on standard output
            yield con
        finally:
            con.close()


def over_lines(
    con: duckdb.DuckDBPyConnection,
    statement: str,
    columns: Mapping[str, str],
    files: Sequence[Path],
    parameters: Mapping[str, object] | None = None,
) -> int:
    """Execute `statement`, ours and never the user's, with `$LINES` for the rows of the files.

    Returns how many lines were left out as longer than MAX_LINE_BYTES. A line that is no JSON object comes as a row of
    NULLs. A statement may be executed twice, so it must begin anew: `CREATE OR REPLACE`, `COPY`.
    """
    if not files:
        empty = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
        con.execute(statement.replace(LINES, f"(SELECT {empty} WHERE false)"), dict(parameters or {}))
        return 0
    for limit in _LINE_LIMITS:
        try:
            _execute(con, statement, columns, files, limit, parameters)
            return 0
        except duckdb.InvalidInputException as e:
            if _TOO_LONG not in str(e):
                raise
    with tempfile.TemporaryDirectory(prefix="shadowproxy-lines-") as scratch:
        copies = [Path(scratch, f"{number}.jsonl") for number in range(len(files))]
        left_out = sum(without_overlong_lines(file, copy) for file, copy in zip(files, copies, strict=True))
        _execute(con, statement, columns, copies, MAX_LINE_BYTES, parameters)
    return left_out


def _execute(
    con: duckdb.DuckDBPyConnection,
    statement: str,
    columns: Mapping[str, str],
    files: Sequence[Path],
    max_line_bytes: int,
    parameters: Mapping[str, object] | None,
) -> None:
    scan = (
        f"read_json($files, format = 'newline_delimited', columns = {columns_clause(columns)}, ignore_errors = true, "
        "maximum_object_size = $longest, hive_partitioning = false, compression = 'uncompressed')"
    )
    with literally(files) as names:
        con.execute(statement.replace(LINES, scan), {"files": names, "longest": max_line_bytes, **(parameters or {})})


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
