"""The log's pairs, newest first, a page at a time.

Law: a page reads at most `MAX_BYTES` of lines, whatever was asked for; where it found less than was wanted by then, its
cursor goes on from there. A cursor names a segment, an offset in its lines and the last pair that was seen, so that it
holds also when the segment becomes columns, or is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from shadowproxy.pairlog.names import PAIRS, Segment, segments
from shadowproxy.pairlog.reader import is_columns

MAX_BYTES: Final = 32 << 20
MEMORY_BYTES: Final = 256 << 20  # for reading columns
_STEP: Final = 1 << 18
CURSOR_PATTERN: Final = r"^([0-9]{1,12})\.([0-9]{1,15})(?:\.([0-9A-Za-z-]{1,64}))?$"
_CURSOR: Final = re.compile(CURSOR_PATTERN.removesuffix("$") + r"\Z")

Pair = dict[str, Any]


class _Field(NamedTuple):
    """Where a filter's value stands: in a line, and in the columns."""

    part: str  # "" for the line itself
    name: str
    column: str


FILTERS: Final[Mapping[str, _Field]] = {
    "candidate": _Field("", "candidate", "candidate"),
    "trial": _Field("", "trial", "trial"),
    "route": _Field("", "route", "route"),
    "agrees": _Field("comparison", "agrees", "agrees"),
    "result": _Field("comparison", "result", "result"),
    "outcome": _Field("shadow", "outcome", "shadow_outcome"),
}


class Cursor(NamedTuple):
    """Everything of segment `counter` from byte `end` on has been seen; `seen` is the last pair's id."""

    counter: int
    end: int
    seen: str

    def __str__(self) -> str:
        return f"{self.counter}.{self.end}" + (f".{self.seen}" if self.seen else "")


class Page(NamedTuple):
    pairs: list[Pair]
    next: Cursor | None  # None: the log has no more


def parse_cursor(text: str) -> Cursor:
    found = _CURSOR.match(text)
    if found is None:
        raise ValueError("expected the `next` of an earlier page")
    return Cursor(int(found[1]), int(found[2]), found[3] or "")


def page(folder: Path, wanted: Mapping[str, Any], limit: int, cursor: Cursor | None) -> Page:
    """At most `limit` pairs, whole, whose fields (names of FILTERS) have the wanted values."""
    pairs: list[Pair] = []
    left = MAX_BYTES
    hints = tuple(orjson.dumps(value) for value in wanted.values() if isinstance(value, str))
    for segment in _newest_first(folder):
        counter = segment.name.counter
        if cursor is not None and counter > cursor.counter:
            continue
        here = cursor if cursor is not None and counter == cursor.counter else None
        if is_columns(segment.path):
            found = _of_columns(segment.path, wanted, limit - len(pairs), here.seen if here else "")
            pairs += found
            if len(pairs) >= limit:
                return Page(pairs, Cursor(counter, 0, found[-1]["pair_id"]))
            continue
        end = min(here.end, segment.size_bytes) if here else segment.size_bytes
        seen = here.seen if here else ""
        for at, line in _lines_back(segment.path, end):
            left -= len(line)
            record = _record(line, hints)
            if record is not None:
                seen = record["pair_id"]
                if _is_wanted(record, wanted):
                    pairs.append(record)
            if len(pairs) >= limit or left <= 0:
                return Page(pairs, Cursor(counter, at, seen))
    return Page(pairs, None)


def _is_wanted(record: Pair, wanted: Mapping[str, Any]) -> bool:
    for name, value in wanted.items():
        field = FILTERS[name]
        part = record.get(field.part) if field.part else record
        if not isinstance(part, dict) or part.get(field.name) != value:
            return False
    return True


# Pair ids are UUIDv7: their order is that of the writing.
_NEWEST: Final = """pair_id IN (
  SELECT pair_id FROM read_parquet($pairs, hive_partitioning = false)
  WHERE {filters} AND ($before = '' OR pair_id < $before) ORDER BY pair_id DESC LIMIT $limit)"""


def _of_columns(path: Path, wanted: Mapping[str, Any], limit: int, before: str) -> list[Pair]:
    # DuckDB is loaded by the first page that reaches a closed segment.
    import duckdb

    from shadowproxy.pairlog import database, restore

    filters = " AND ".join(["true", *(f"{FILTERS[name].column} = $of_{name}" for name in wanted)])
    values = {f"of_{name}": value for name, value in wanted.items()}
    try:
        with database.opened(MEMORY_BYTES, 1) as con:
            where = _NEWEST.format(filters=filters)
            found = list(restore.records(con, path, where, {**values, "before": before, "limit": limit}))
    except duckdb.IOException:
        return []  # it was removed while we looked
    return sorted(found, key=lambda pair: pair["pair_id"], reverse=True)


def _newest_first(folder: Path) -> Iterator[Segment]:
    """A segment that stands in both forms is read as columns: these are whole, and its lines are about to go."""
    found = segments(folder, PAIRS)
    whole = {segment.name.counter for segment in found if is_columns(segment.path)}
    for segment in reversed(found):
        if is_columns(segment.path) or segment.name.counter not in whole:
            yield segment


def _record(line: bytes, hints: tuple[bytes, ...]) -> Pair | None:
    if not all(hint in line for hint in hints):
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    is_pair = isinstance(record, dict) and record.get("kind") == "pair" and isinstance(record.get("pair_id"), str)
    return record if is_pair else None


def _lines_back(path: Path, end: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line) of the whole lines before `end`, the last first. A file that is gone has none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at, tail = end, b""
        is_first = True
        while at > 0:
            step = min(_STEP, at)
            at -= step
            file.seek(at)
            block = file.read(step) + tail
            lines = block.split(b"\n")
            tail = lines[0] if at > 0 else b""
            offset = at + len(block)
            for line in reversed(lines[1:] if at > 0 else lines):
                offset -= len(line)
                # What follows the last newline of a file is not yet a line.
                if line and not is_first:
                    yield offset, line
                is_first = False
                offset -= 1
