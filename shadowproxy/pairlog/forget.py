"""Removing requests from a log, wherever they stand, while a recorder may go on writing it.

In lines, a record is overwritten with spaces where it stands: nothing moves, so a recorder may append meanwhile, and
readers pass over blank lines. Columns are written anew without the rows and take the old file's place. A segment that
is just becoming columns was read before its lines were blanked: so the log is gone through again as long as a
conversion is under way, and until nothing is found any more.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import orjson

from shadowproxy.pairlog import database, reader
from shadowproxy.pairlog.convert import is_under_way, publish, quoted
from shadowproxy.pairlog.names import COLUMNS, LINES, PAIRS, bodies_of
from shadowproxy.pairlog.note import KEY, note_of
from shadowproxy.pairlog.segment import lock

_MEMORY_BYTES: Final = 1 << 30
_PATIENCE_S: Final = 120.0  # for a conversion that is under way
_STEP_S: Final = 0.1

Src = tuple[int, int, int]


class Wanted(NamedTuple):
    """Whom to forget: the requests with this id, the one request that this pair belongs to, or those with this key."""

    id: str | None = None
    key: str | None = None

    def names(self, record: dict[str, Any]) -> bool:
        if self.key is not None:
            return record.get("key") == self.key
        return self.id in (record.get("id"), record.get("pair_id"))

    @property
    def needle(self) -> bytes:
        return orjson.dumps(self.key if self.key is not None else self.id)[1:-1]

    @property
    def where(self) -> str:
        return "key = $wanted" if self.key is not None else "(id = $wanted OR pair_id = $wanted)"

    @property
    def parameters(self) -> dict[str, object]:
        return {"wanted": self.key if self.key is not None else self.id}


class Removed(NamedTuple):
    pairs: Counter[str]  # by the segment's name
    bodies: int
    requests: int


def forget(
    folders: Iterable[Path],
    wanted: Wanted,
    pause: Callable[[float], None] = time.sleep,
    patience_s: float = _PATIENCE_S,
) -> Removed:
    """Remove what is wanted from the logs in these directories. Raises OSError, duckdb.Error, and TimeoutError when a
    conversion does not end; whatever was removed until then is gone."""
    pairs: Counter[str] = Counter()
    bodies = 0
    requests: set[object] = set()
    left_s = patience_s
    for folder in folders:
        while True:
            # Looked at before the pass: a conversion that begins later reads lines that are blank already.
            converting = is_under_way(folder)
            found = 0
            for file in _segments(folder):
                gone, gone_bodies = _forget_in(file, wanted, requests)
                pairs[file.name] += gone
                bodies += gone_bodies
                found += gone
            if not found and not converting:
                break
            if converting:
                if left_s <= 0:
                    raise TimeoutError(f"{folder}: a conversion is still under way")
                pause(_STEP_S)
                left_s -= _STEP_S
    return Removed(+pairs, bodies, len(requests))


def _segments(folder: Path) -> list[Path]:
    """Lines beside columns too: readers ignore them, and they still hold what they hold."""
    return sorted(file for form in (LINES, COLUMNS) for file in folder.glob(f"{PAIRS}-*.{form}"))


def _forget_in(file: Path, wanted: Wanted, requests: set[object]) -> tuple[int, int]:
    try:
        if reader.is_columns(file):
            return _in_columns(file, wanted, requests)
        return _in_lines(file, wanted, requests), 0
    except FileNotFoundError:
        return 0, 0  # it has become columns, or is too old: the next pass sees


# -- lines ---------------------------------------------------------------------------------------------------------


def _in_lines(file: Path, wanted: Wanted, requests: set[object]) -> int:
    """Overwrites in place; whole lines only, so that nothing which a writer is just appending is touched."""
    gone = 0
    with file.open("r+b", buffering=0) as target:
        stat = os.fstat(target.fileno())
        named = [record for record, _, _ in _found(file, wanted.needle) if wanted.names(record)]
        srcs = {src for record in named if (src := _src(record))}
        ids = set() if wanted.key is not None else {str(record.get("id")) for record in named}
        for needle in {wanted.needle, *(orjson.dumps(id_)[1:-1] for id_ in ids)}:
            for record, at, length in _found(file, needle):
                if wanted.names(record) or (wanted.key is None and _src(record) in srcs):
                    target.seek(at)
                    target.write(b" " * length)
                    requests.add(_src(record) or record.get("pair_id"))
                    gone += 1
        if gone:
            os.fsync(target.fileno())
            os.utime(target.fileno(), ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its age says how long it stays
    return gone


def _found(file: Path, needle: bytes) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Records of pairs whose line contains `needle`: (record, where the line begins, its length without newline)."""
    at = 0
    with file.open("rb") as lines:
        for line in lines:
            if needle in line and line.endswith(b"\n") and (record := _record(line)) is not None:
                yield record, at, len(line) - 1
            at += len(line)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and record.get("kind") == "pair" else None


def _src(record: dict[str, Any]) -> Src | None:
    src = record.get("src")
    return tuple(src) if isinstance(src, list) and len(src) == 3 else None


# -- columns -------------------------------------------------------------------------------------------------------


_GONE: Final = """
CREATE OR REPLACE TEMP TABLE gone AS
SELECT pair_id, worker, boot, seq FROM read_parquet($file, hive_partitioning = false) AS p
WHERE {where} OR ({whole} AND EXISTS (
  FROM read_parquet($file, hive_partitioning = false) AS q
  WHERE {where_q} AND q.worker = p.worker AND q.boot = p.boot AND q.seq = p.seq))
"""
# A request's body stands under the id of one of its pairs, and goes when none of them is left.
_ORPHANS: Final = """
pair_id IN (SELECT pair_id FROM gone) AND (role = 'shadow' OR seq IS NULL)
OR (role <> 'shadow' AND (worker, boot, seq) IN (SELECT (worker, boot, seq) FROM gone))
"""


def _in_columns(file: Path, wanted: Wanted, requests: set[object]) -> tuple[int, int]:
    with _owned(file) as is_there, database.opened(_MEMORY_BYTES, 2) as con:
        if not is_there:
            return 0, 0
        whole = "true" if wanted.key is None else "false"
        where_q = wanted.where.replace("key", "q.key").replace("(id", "(q.id").replace("pair_id", "q.pair_id")
        with database.literally([file]) as (name,):
            sql = _GONE.format(where=wanted.where, whole=whole, where_q=where_q)
            con.execute(sql, {"file": name, **wanted.parameters})
        gone = con.execute("SELECT pair_id, worker, boot, seq FROM gone").fetchall()
        if not gone:
            return 0, 0
        requests.update((w, b, s) if s is not None else pair_id for pair_id, w, b, s in gone)
        bodies = 0
        stored = bodies_of(file)
        if stored.exists():  # before the pairs: a pass that is cut short finds the pairs again
            bodies = _rewrite(con, stored, _ORPHANS, "ROW_GROUP_SIZE 2048")
        note = quoted(str(note_of(file)))
        _rewrite(con, file, "pair_id IN (SELECT pair_id FROM gone)", f"KV_METADATA {{{KEY}: {note}}}")
        return len(gone), bodies


def _rewrite(con: duckdb.DuckDBPyConnection, file: Path, without: str, options: str) -> int:
    """The file without those rows; returns how many they were."""
    rows = "read_parquet($file, hive_partitioning = false)"
    with (
        tempfile.TemporaryDirectory(prefix=".forgetting-", dir=file.parent) as scratch,
        database.literally([file]) as (name,),
    ):
        counted = con.execute(f"SELECT count(*) FROM {rows} WHERE {without}", {"file": name}).fetchone()
        target = Path(scratch, f"rows.{COLUMNS}")
        con.execute(
            f"COPY (SELECT * FROM {rows} WHERE NOT coalesce(({without}), false)) TO $target "
            f"(FORMAT parquet, COMPRESSION zstd, {options})",
            {"file": name, "target": str(target)},
        )
        publish(target, file, like=file)
    return int(counted[0]) if counted else 0


@contextmanager
def _owned(file: Path) -> Iterator[bool]:
    """Alone with the file, and it is still the one of that name: two who forget must not bring back each other's."""
    while True:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not lock(fd):
                time.sleep(_STEP_S)
                continue
            try:
                same = os.fstat(fd).st_ino == os.stat(file).st_ino
            except FileNotFoundError:
                same = False
            if not same and file.exists():
                continue
            yield same
            return
        finally:
            os.close(fd)
