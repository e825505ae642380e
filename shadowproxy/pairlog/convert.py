"""A closed segment: lines → columns, and whatever happens in between nothing is lost and nothing is there twice.

The steps, each of which may be the last:

    1  the lines are locked as their writer would lock them: nobody appends to them, adopts or deletes them
    2  the columns are written under names that no reader looks at, and synchronised
    3  bodies get their name, then pairs get theirs: from here on the columns count and the lines do not (`names`)
    4  the lines are removed

A segment with whole lines that are no records of this version stays as it is: what cannot be read must not be thrown
away. An unfinished last line is left out and counted in the note; a writer would have cut it off.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from shadowproxy.pairlog import columns, schema
from shadowproxy.pairlog.database import literally, over_lines
from shadowproxy.pairlog.names import COLUMNS, PAIRS, bodies_of, columns_of
from shadowproxy.pairlog.note import KEY, Note
from shadowproxy.pairlog.reader import is_torn
from shadowproxy.pairlog.segment import FILE_MODE, lock

HIDDEN: Final = ".converting-"  # the beginning of names that no reader looks at

_JUST_MADE_S: Final = 5.0  # a scratch directory as young as this may not be locked yet
_PAIR_ROWS: Final = 122_880
_BODY_GROUP_BYTES: Final = "32MB"

_FRAMES: Final = f"""
CREATE OR REPLACE TEMP TABLE frames AS
SELECT {columns.IS_PAIR} AS is_valid, {columns.HAS_BODIES} AS has_bodies, pair_id, candidate, src,
  {columns.selected(columns.SRC)}
FROM $LINES
"""
_KEEPERS: Final = (
    f"CREATE OR REPLACE TEMP TABLE keepers AS {columns.KEEPERS.format(frames='(FROM frames WHERE is_valid)')}"
)
_VALID: Final = f"(SELECT *, pair_id IN (FROM keepers) AS keeps FROM $LINES WHERE {columns.IS_PAIR})"
_LIVES: Final = """
SELECT worker, boot, min(seq), newest, list_sort(list(DISTINCT candidate) FILTER (seq = newest)) FROM (
  SELECT *, max(seq) OVER (PARTITION BY worker, boot) AS newest FROM frames WHERE is_valid AND seq IS NOT NULL)
GROUP BY worker, boot, newest ORDER BY worker, boot
"""


class Unreadable(Exception):
    """The segment holds whole lines that are no records of this version; the message is a whole sentence."""


def convert(con: duckdb.DuckDBPyConnection, lines: Path) -> bool:
    """Whether the segment is columns now. False: it is still open, empty, or gone. Raises Unreadable, OSError and
    duckdb.Error; then the lines are as they were."""
    with _locked(lines) as is_ours:
        if not is_ours:
            return False
        target = columns_of(lines)
        if not target.exists():
            write(con, lines, target, bodies_of(lines))
        lines.unlink()
        _synchronise(lines.parent)
    return True


def write(con: duckdb.DuckDBPyConnection, lines: Path, target: Path, bodies: Path | None, lenient: bool = False) -> int:
    """The lines' columns at `target`, those of their bodies at `bodies`; returns the rows of `target`.

    `lenient`: lines that are no records are left out instead of refused.
    """
    made = _pairs if lines.name.startswith(PAIRS) else _ledger
    with tempfile.TemporaryDirectory(prefix=HIDDEN, dir=target.parent) as scratch, _held(Path(scratch)):
        rows = made(con, lines, Path(scratch), lenient)
        for file, place in ((f"bodies.{COLUMNS}", bodies), (f"rows.{COLUMNS}", target)):
            path = Path(scratch, file)
            if place is not None and path.exists():
                publish(path, place, like=lines)
    return rows


def publish(written: Path, place: Path, like: Path) -> None:
    """Whole on the disk, as old as `like` is and as private as a log, before anybody sees it."""
    stat = like.stat()
    os.chmod(written, FILE_MODE)
    os.utime(written, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    _synchronise(written)
    os.replace(written, place)
    _synchronise(place.parent)


def _pairs(con: duckdb.DuckDBPyConnection, lines: Path, scratch: Path, lenient: bool) -> int:
    left_out = over_lines(con, _FRAMES, schema.WITH_BODIES, [lines])
    torn = _checked(con, "frames", lines, left_out, lenient)
    note = Note(torn=torn, marks=_marks(con))
    _copy(
        con,
        f"SELECT {columns.selected({**columns.PAIR, **columns.DETAIL})} FROM $LINES WHERE {columns.IS_PAIR}",
        schema.WITHOUT_BODIES,
        [lines],
        scratch / f"rows.{COLUMNS}",
        f"ROW_GROUP_SIZE {_PAIR_ROWS}, KV_METADATA {{{KEY}: {quoted(str(note))}}}",
    )
    _copy_bodies(con, [lines], scratch / f"bodies.{COLUMNS}")
    counted = con.execute("SELECT count(*) FROM frames WHERE is_valid").fetchone()
    con.execute("DROP TABLE frames")
    return int(counted[0]) if counted else 0


def copy_bodies(con: duckdb.DuckDBPyConnection, files: Sequence[Path], target: Path) -> None:
    """The bodies in the lines of these files, each once, as the columns of `bodies-*.parquet`."""
    over_lines(con, _FRAMES, schema.WITH_BODIES, files)
    _copy_bodies(con, files, target)
    con.execute("DROP TABLE frames")


def _copy_bodies(con: duckdb.DuckDBPyConnection, files: Sequence[Path], target: Path) -> None:
    con.execute(_KEEPERS)
    options = f"ROW_GROUP_SIZE_BYTES '{_BODY_GROUP_BYTES}'"
    con.execute("SET preserve_insertion_order = false")  # a group of rows can be limited by bytes only without it
    try:
        _copy(con, columns.bodies(_VALID), schema.WITH_BODIES, files, target, options)
    finally:
        con.execute("SET preserve_insertion_order = true")
    con.execute("DROP TABLE keepers")


def _ledger(con: duckdb.DuckDBPyConnection, lines: Path, scratch: Path, lenient: bool) -> int:
    left_out = over_lines(
        con,
        f"CREATE OR REPLACE TEMP TABLE totals AS SELECT {columns.IS_LEDGER} AS is_valid, * FROM $LINES",
        schema.LEDGER,
        [lines],
    )
    torn = _checked(con, "totals", lines, left_out, lenient)
    con.execute(
        "COPY (SELECT * EXCLUDE is_valid FROM totals WHERE is_valid) TO $target (FORMAT parquet, COMPRESSION zstd, "
        f"KV_METADATA {{{KEY}: {quoted(str(Note(torn=torn)))}}})",
        {"target": str(scratch / f"rows.{COLUMNS}")},
    )
    counted = con.execute("SELECT count(*) FROM totals WHERE is_valid").fetchone()
    con.execute("DROP TABLE totals")
    return int(counted[0]) if counted else 0


def _checked(con: duckdb.DuckDBPyConnection, table: str, lines: Path, left_out: int, lenient: bool) -> int:
    """Returns whether (0 or 1) the last line is torn. Raises Unreadable."""
    counted = con.execute(f"SELECT count(*) FILTER (NOT is_valid) FROM {table}").fetchone()
    torn = int(is_torn(lines))
    bad = left_out + (int(counted[0]) if counted else 0) - torn
    if bad > 0 and not lenient:
        raise Unreadable(f"{lines}: {bad} lines are no records that this version knows")
    return torn


def _marks(con: duckdb.DuckDBPyConnection) -> tuple[tuple[int, int, int, int, tuple[str, ...]], ...]:
    return tuple((*life, tuple(candidates)) for *life, candidates in con.execute(_LIVES).fetchall())


def _copy(
    con: duckdb.DuckDBPyConnection,
    select: str,
    known: Mapping[str, str],
    files: Sequence[Path],
    target: Path,
    options: str,
) -> None:
    statement = f"COPY ({select}) TO $target (FORMAT parquet, COMPRESSION zstd, {options})"
    over_lines(con, statement, known, files, {"target": str(target)})


def quoted(text: str) -> str:
    """As a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _locked(lines: Path) -> Iterator[bool]:
    try:
        fd = os.open(lines, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield False
        return
    try:
        # One that was just created is not locked yet, and holds nothing.
        yield os.fstat(fd).st_size > 0 and lock(fd) and os.fstat(fd).st_nlink > 0
    finally:
        os.close(fd)


@contextmanager
def _held(scratch: Path) -> Iterator[None]:
    """A lock that says: this conversion is alive."""
    fd = os.open(scratch, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        lock(fd)
        yield
    finally:
        os.close(fd)


def is_under_way(folder: Path) -> bool:
    """Whether somebody converts a segment in `folder`. What one that was killed left behind is removed."""
    alive = False
    for scratch in folder.glob(f"{HIDDEN}*"):
        with suppress(FileNotFoundError):
            fd = os.open(scratch, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            try:
                if lock(fd) and time.time() - os.fstat(fd).st_mtime > _JUST_MADE_S:
                    shutil.rmtree(scratch, ignore_errors=True)
                else:
                    alive = True
            finally:
                os.close(fd)
    return alive


def _synchronise(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_leftovers(folder: Path) -> None:
    """What a conversion that was killed left under a hidden name. Only for the one who converts there."""
    with suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            if entry.name.startswith(HIDDEN) and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)


def count(con: duckdb.DuckDBPyConnection, file: Path) -> int:
    """Rows of a segment that is columns."""
    with literally([file]) as (name,):
        row = con.execute(
            "SELECT count(*) FROM read_parquet($file, hive_partitioning = false)", {"file": name}
        ).fetchone()
    return int(row[0]) if row else 0
