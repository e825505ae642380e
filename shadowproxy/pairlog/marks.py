"""How far the log has come for a worker: what a recorder answers when a worker says hello.

Frames of one (worker, boot) are written in the order of seq, and segments are written one after the other, so the last
line of a worker in the newest segment that has any of its lines holds its highest seq. The search goes backwards from
there and looks for the bytes of `src` (see `record`), which no string inside a line can contain.

A worker's last frame may be there in part: its writer was killed within a write of several lines. Which ones are
missing cannot be seen, so the worker is told to send it again, and only lines that are missing are written. They need
not stand side by side: before the rest came, another worker's frames may have been written, and a segment closed. So
the search goes on until a line of an earlier frame is found
(test_what_others_wrote_behind_a_frame_does_not_make_it_whole).

A segment that has become columns says the same in its note.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from shadowproxy.pairlog.names import COLUMNS, LINES, Segment
from shadowproxy.pairlog.note import note_of
from shadowproxy.pairlog.segment import end_of_lines

SCANNED_BYTES: Final = 1 << 30  # a worker whose last line lies further back has long been told that it was written
_BLOCK: Final = 8 << 20
_CLOCKS_S: Final = 120.0  # how far a file's time may lie before a boot that wrote to it: clocks of network file systems
_LONGEST_SEQ: Final = 24
_NEAR: Final = 64 << 10  # bytes behind `src` within which the line names its candidate
_CANDIDATE: Final = re.compile(rb'(?<!\\)"candidate":"((?:[^"\\]|\\.)*)"')


class Mark(NamedTuple):
    """Every frame up to `seq` is in the log; of frame `seq + 1` there may be the lines of `candidates`."""

    seq: int
    candidates: frozenset[str] = frozenset()


NOTHING: Final = Mark(0)


def mark_of(newest_first: Iterable[Segment], worker: int, boot: int, budget: int = SCANNED_BYTES) -> Mark:
    last: int | None = None
    candidates: set[str] = set()
    for segment in newest_first:
        if segment.modified_s < boot / 1000 - _CLOCKS_S:
            continue
        if budget <= 0:
            break
        try:
            if segment.name.form == LINES:
                budget -= segment.size_bytes
            for seq, its in _frames_backwards(segment, worker, boot):
                last = seq if last is None else last
                if seq != last:
                    return Mark(last - 1, frozenset(candidates))
                candidates |= its
        except FileNotFoundError:
            continue
    return NOTHING if last is None else Mark(last - 1, frozenset(candidates))


def _frames_backwards(segment: Segment, worker: int, boot: int) -> Iterator[tuple[int, set[str]]]:
    """(seq, candidates of some of its lines), the highest first; of columns the last frame and the first."""
    if segment.name.form == COLUMNS:
        for its_worker, its_boot, first, last, candidates in note_of(segment.path).marks:
            if (its_worker, its_boot) == (worker, boot):
                yield last, set(candidates)
                if first < last:
                    yield first, set()
        return
    for seq, candidate in _lines_backwards(segment.path, b'"src":[%d,%d,' % (worker, boot)):
        yield seq, {candidate}


def _lines_backwards(path: Path, needle: bytes) -> Iterator[tuple[int, str]]:
    """(seq, candidate) of each whole line with the needle, the last first."""
    overlap = len(needle) + _LONGEST_SEQ
    with path.open("rb") as file:
        end = whole = end_of_lines(file.fileno())
        while end > 0:
            start = max(0, end - _BLOCK)
            file.seek(start)
            # A needle that begins before `end` may go on behind it.
            block = file.read(min(end + overlap, whole) - start)
            at = block.rfind(needle, 0, end - start + len(needle) - 1)
            while at >= 0:
                number, bracket, _ = block[at + len(needle) : at + overlap].partition(b"]")
                if bracket and number.isdigit():
                    yield int(number), _candidate(os.pread(file.fileno(), _NEAR, start + at))
                at = block.rfind(needle, 0, at)
            end = start


def _candidate(behind: bytes) -> str:
    """The candidate of the line that goes on so; "" where it names none nearby."""
    found = _CANDIDATE.search(behind.partition(b"\n")[0])
    return str(orjson.loads(b'"%b"' % found[1])) if found else ""
