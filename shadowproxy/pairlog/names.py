"""Segment names: KIND-UTC-SLOT-PID-COUNTER.FORM, as pairs-20260301T140000Z-0-4711-000012.jsonl.

A segment is written as lines (`jsonl`) and becomes columns (`parquet`) when it is closed; its bodies then stand in a
file of their own, of the same name but for the kind. Law: where a segment of pairs or of the ledger is there in both
forms, the columns are whole and the lines are about to be removed, so lines beside columns are never read, adopted or
appended to.

The counter grows over all segments of a kind in the directory and over every life of every recorder: unlike the time,
which is for people, it says without a clock which of two segments is the newer one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

PAIRS, LEDGER, BODIES = "pairs", "ledger", "bodies"
KINDS: Final = (PAIRS, LEDGER)
LINES, COLUMNS = "jsonl", "parquet"
CONVERTED, LEFT = "converted", "left"  # what became of lines that were to be columns

_NAME: Final = re.compile(r"(pairs|ledger|bodies)-(\d{8}T\d{6}Z)-(\d+)-(\d+)-(\d+)\.(jsonl|parquet)")
_TIME: Final = "%Y%m%dT%H%M%SZ"


class SegmentName(NamedTuple):
    kind: str
    opened_s: int  # since 1970
    slot: int
    pid: int
    counter: int
    form: str = LINES

    def __str__(self) -> str:
        time = datetime.fromtimestamp(self.opened_s, UTC).strftime(_TIME)
        return f"{self.kind}-{time}-{self.slot}-{self.pid}-{self.counter:06d}.{self.form}"


def parse(name: str) -> SegmentName | None:
    """None for a file that is no segment of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    kind, time, slot, pid, counter, form = found.groups()
    if kind == BODIES and form == LINES:
        return None
    try:
        opened = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return SegmentName(kind, int(opened.timestamp()), int(slot), int(pid), int(counter), form)


class Segment(NamedTuple):
    name: SegmentName
    path: Path
    size_bytes: int
    modified_s: float


def segments(folder: Path, kind: str) -> list[Segment]:
    """Those in `folder`, oldest first, in either form; none where there is no such directory."""
    return sorted(_found(folder, kind), key=lambda segment: (segment.name.counter, segment.name))


def is_superseded(lines: Path) -> bool:
    """Whether what stands in these lines stands in columns already."""
    return lines.suffix == f".{LINES}" and columns_of(lines).exists()


def columns_of(lines: Path) -> Path:
    """Where the segment is, or will be, as columns."""
    return lines.with_suffix(f".{COLUMNS}")


def bodies_of(segment: Path) -> Path:
    """Where the bodies of a segment of pairs are, or will be, once it is columns."""
    return segment.with_name(f"{BODIES}{segment.name.removeprefix(PAIRS)}").with_suffix(f".{COLUMNS}")


def _found(folder: Path, kind: str) -> Iterator[Segment]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        name = parse(entry.name)
        if name is None or name.kind != kind:
            continue
        try:
            stat = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield Segment(name, Path(entry.path), stat.st_size, stat.st_mtime)
