"""The log's pairs, newest first, a page at a time.

Law: a page reads at most `MAX_BYTES` of lines, whatever was asked for; where it found less than was wanted by then, its
cursor goes on from there. A cursor names a segment, an offset in its lines and the last pair that was seen, so that it
holds also when the segment becomes columns, or is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from shadowproxy.pairlog.names import PAIRS, Segment, segments

MAX_BYTES: Final = 32 << 20
_STEP: Final = 1 << 18
_CURSOR: Final = re.compile(r"(\d{1,12})\.(\d{1,15})(?:\.([0-9A-Za-z-]{1,64}))?")

Pair = dict[str, Any]
Wanted = Callable[[Pair], bool]


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
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ValueError("expected the `next` of an earlier page")
    return Cursor(int(found[1]), int(found[2]), found[3] or "")


def page(
    folder: Path, wanted: Wanted, hints: tuple[bytes, ...], limit: int, cursor: Cursor | None, columns: Columns
) -> Page:
    """`hints`: what stands in every wanted line; they spare the others' parsing. `columns` reads a closed segment."""
    pairs: list[Pair] = []
    left = MAX_BYTES
    for segment in _newest_first(folder):
        counter = segment.name.counter
        if cursor is not None and counter > cursor.counter:
            continue
        here = cursor if cursor is not None and counter == cursor.counter else None
        if segment.path.suffix != ".jsonl":
            before = here.seen if here else ""
            found = columns(segment.path, wanted, limit - len(pairs), before)
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
                if wanted(record):
                    pairs.append(record)
            if len(pairs) >= limit or left <= 0:
                return Page(pairs, Cursor(counter, at, seen))
    return Page(pairs, None)


Columns = Callable[[Path, Wanted, int, str], list[Pair]]


def no_columns(path: Path, wanted: Wanted, limit: int, before: str) -> list[Pair]:
    """Where closed segments are lines too."""
    return []


def _newest_first(folder: Path) -> Iterator[Segment]:
    """A segment that stands in both forms is read as columns: these are whole, and its lines are about to go."""
    found = segments(folder, PAIRS)
    whole = {segment.name.counter for segment in found if segment.path.suffix != ".jsonl"}
    for segment in reversed(found):
        if segment.path.suffix != ".jsonl" or segment.name.counter not in whole:
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
