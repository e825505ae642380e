"""How far the log has come for a worker, read from the log alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.pairlog import marks as module
from shadowproxy.pairlog.marks import Mark, mark_of
from shadowproxy.pairlog.names import SegmentName, segments
from shadowproxy.pairlog.record import encode

BOOT = 1_772_373_600_000


class Written:
    """A directory of segments, written line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counter = 0
        self.path = folder

    def segment(self, modified_s: float | None = None) -> None:
        self.counter += 1
        self.path = self.folder / str(SegmentName("pairs", 1_772_373_600 - self.counter, 0, 1, self.counter))
        self.path.touch()
        if modified_s is not None:
            os.utime(self.path, (modified_s, modified_s))

    def line(self, worker: int, seq: int, candidate: str = "v2", boot: int = BOOT, **more: Any) -> None:
        record = {"v": 1, "kind": "pair", "pair_id": "x", "id": "y", "src": [worker, boot, seq], "candidate": candidate}
        with self.path.open("ab") as file:
            file.write(encode({**record, **more}) + b"\n")

    def tear(self, text: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text)

    def mark(self, worker: int, boot: int = BOOT, **more: Any) -> Mark:
        return mark_of(reversed(segments(self.folder, "pairs")), worker, boot, **more)


@pytest.fixture
def log(tmp_path: Path) -> Written:
    written = Written(tmp_path)
    written.segment()
    return written


def test_an_empty_log_holds_nothing(log: Written) -> None:
    assert log.mark(0) == Mark(0)


def test_each_life_of_each_worker_has_its_own_mark(log: Written) -> None:
    for worker, boot, seq in [(0, BOOT, 1), (1, BOOT, 1), (0, BOOT, 2), (0, BOOT + 1, 1), (10, BOOT, 8), (1, BOOT, 5)]:
        log.line(worker, seq, boot=boot)
    assert {(w, b): log.mark(w, b).seq for w, b in [(0, BOOT), (1, BOOT), (0, BOOT + 1), (10, BOOT), (3, BOOT)]} == {
        (0, BOOT): 1,  # of each the last frame may be there in part; see below
        (1, BOOT): 4,
        (0, BOOT + 1): 0,
        (10, BOOT): 7,
        (3, BOOT): 0,
    }


def test_the_last_frame_is_asked_for_again_with_the_lines_that_are_there(log: Written) -> None:
    log.line(0, 4)
    log.line(1, 9)
    log.line(0, 5, "v2")
    log.line(0, 5, "v3")
    assert log.mark(0) == Mark(4, frozenset({"v2", "v3"}))
    assert log.mark(1) == Mark(8, frozenset({"v2"}))


def test_what_others_wrote_behind_a_frame_does_not_make_it_whole(log: Written) -> None:
    """A recorder was killed within a frame, its successor wrote another worker's frames and was killed, too."""
    log.line(1, 30)
    log.line(1, 31, "v2")
    log.line(0, 5)
    log.line(0, 6)
    assert log.mark(1) == Mark(30, frozenset({"v2"}))
    log.line(1, 31, "v3")
    log.segment()
    log.line(0, 7)
    log.line(1, 31, "v4")
    log.segment()
    log.line(0, 8)
    assert log.mark(1) == Mark(30, frozenset({"v2", "v3", "v4"}))


def test_a_candidate_is_read_as_it_was_written(log: Written) -> None:
    log.line(0, 5, 'v"2\\é', route='"candidate":"x"')
    assert log.mark(0) == Mark(4, frozenset({'v"2\\é'}))


@pytest.mark.parametrize("rest", [b'{"v":1', b'{"v":1,"kind":"pair","src":[0,%d,6],"cand' % BOOT, b"\0" * 5000])
def test_an_unfinished_line_counts_for_nothing(log: Written, rest: bytes) -> None:
    log.line(0, 5, "v2")
    log.tear(rest)
    assert log.mark(0) == Mark(4, frozenset({"v2"}))


def test_text_that_looks_like_a_place_is_none(log: Written) -> None:
    hostile = f'"src":[0,{BOOT},99]'
    log.line(0, 5, key=hostile, slices={hostile: hostile}, request={"body": json.dumps({"src": [0, BOOT, 98]})})
    log.line(1, 1)
    assert log.mark(0) == Mark(4, frozenset({"v2"}))


def test_the_newest_segment_that_knows_the_worker_decides(log: Written) -> None:
    log.line(0, 3)
    log.line(1, 70)
    log.segment()
    log.line(0, 8)
    log.line(1, 71)
    log.segment()
    log.line(1, 72)
    assert log.mark(0) == Mark(7, frozenset({"v2"}))
    assert log.mark(1) == Mark(71, frozenset({"v2"}))


def test_a_frame_at_the_end_of_a_closed_segment_is_asked_for_again_too(log: Written) -> None:
    log.line(0, 8)
    log.segment()
    assert log.mark(0) == Mark(7, frozenset({"v2"}))


def test_segments_from_before_the_boot_are_not_read(log: Written) -> None:
    log.line(0, 3)
    os.utime(log.path, (BOOT / 1000 - 1000,) * 2)
    assert log.mark(0) == Mark(0)
    os.utime(log.path, (BOOT / 1000 - 10,) * 2)
    assert log.mark(0).seq == 2


def test_the_search_goes_back_so_far_and_no_further(log: Written) -> None:
    log.line(0, 3)
    log.line(9, 1)
    for _ in range(3):
        log.segment()
        log.line(1, 1, request={"body": "x" * 1000})
    assert log.mark(0) == Mark(2, frozenset({"v2"}))
    assert log.mark(0, budget=2000) == Mark(0)


@pytest.mark.parametrize("block", [16, 64, 100, 333])
def test_lines_are_found_across_blocks(log: Written, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    for seq in range(1, 30):
        log.line(seq % 2, seq, request={"body": "x" * (seq * 7 % 50)})
    log.line(0, 30, "v3")
    assert log.mark(0) == Mark(29, frozenset({"v3"}))
    assert log.mark(1) == Mark(28, frozenset({"v2"}))
