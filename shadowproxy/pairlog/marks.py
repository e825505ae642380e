"""How far the log has come for a worker: what a recorder answers when a worker says hello.

Frames of one (worker, boot) are written in the order of seq, and segments are written one after the other, so the last
line of a worker in the newest segment that has any of its lines holds its highest seq. The search goes backwards from
there and looks for the bytes of `src` (see `record`), which no string inside a line can contain.

The last frame of a log may be there in part: its writer was killed within a write of several lines. Which ones are
missing cannot be seen, so the worker is told to send it again and only lines that are missing are written.

A segment that has become columns says the same in its note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from shadowproxy.pairlog.names import COLUMNS, Segment
from shadowproxy.pairlog.note import note_of
from shadowproxy.pairlog.segment import end_of_lines

SCANNED_BYTES: Final = 1 << 30  # a worker whose last line lies further back has long been told that it was written
_BLOCK: Final = 8 << 20
_CLOCKS_S: Final = 120.0  # how far a file's time may lie before a boot that wrote to it: clocks of network file systems
_LONGEST_SEQ: Final = 24


class Mark(NamedTuple):
    """Every frame up to `seq` is in the log; of frame `seq + 1` there may be the lines of `candidates`."""

    seq: int
    candidates: frozenset[str] = frozenset()


NOTHING: Final = Mark(0)


def mark_of(newest_first: Iterable[Segment], worker: int, boot: int, budget: int = SCANNED_BYTES) -> Mark:
    for segment in newest_first:
        if segment.modified_s < boot / 1000 - _CLOCKS_S:
            continue
        if budget <= 0:
            break
        try:
            if segment.name.form == COLUMNS:
                mark = _noted(segment.path, worker, boot)
                if mark is not None:
                    return mark
                continue
            budget -= segment.size_bytes
            seq = _last_in(segment.path, b'"src":[%d,%d,' % (worker, boot))
            if seq is not None:
                candidates = last_frame(segment.path, (worker, boot, seq))
                return Mark(seq - 1, candidates) if candidates else Mark(seq)
        except FileNotFoundError:
            continue
    return NOTHING


def _last_in(path: Path, needle: bytes) -> int | None:
    """The number behind the last occurrence."""
    overlap = len(needle) + _LONGEST_SEQ
    with path.open("rb") as file:
        end = whole = end_of_lines(file.fileno())
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            # A needle that begins before `end` may go on behind it.
            block = file.read(min(end + overlap, whole) - start)
            at = block.rfind(needle)
            while at >= 0:
                number, bracket, _ = block[at + len(needle) : at + overlap].partition(b"]")
                if bracket and number.isdigit():
                    return int(number)
                at = block.rfind(needle, 0, at)
            end = start
    return None


def _noted(path: Path, worker: int, boot: int) -> Mark | None:
    for its_worker, its_boot, seq, candidates in note_of(path).marks:
        if (its_worker, its_boot) == (worker, boot):
            return Mark(seq - 1, frozenset(candidates)) if candidates else Mark(seq)
    return None


def last_frame(path: Path, src: tuple[int, int, int]) -> frozenset[str]:
    """Whose lines of the frame `src` are there, if the segment ends with that frame; else nobody's."""
    candidates = set()
    for line in _lines_backwards(path):
        try:
            record = orjson.loads(line)
            if tuple(record["src"]) != src:
                break
            candidates.add(str(record["candidate"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            break
    return frozenset(candidates)


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Whole lines, the last first; an unfinished one at the end is no line."""
    with path.open("rb") as file:
        end = end_of_lines(file.fileno())
        held = b""
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            held = file.read(end - start) + held
            end = start
            held, *lines = held.split(b"\n")
            yield from (line for line in reversed(lines) if line)
        if held:
            yield held
