"""What is deleted, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shadowproxy.pairlog.names import SegmentName
from shadowproxy.pairlog.retention import Limits, free_bytes, prune, size_of
from shadowproxy.pairlog.segment import Rotation, SegmentWriter

NOW = 1_772_373_600.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three segments of each kind, 100 bytes each, 3, 2 and 1 hours old."""
    for kind in ("pairs", "ledger"):
        for counter, hours in ((1, 3), (2, 2), (3, 1)):
            path = tmp_path / str(SegmentName(kind, int(NOW), 0, 1, counter))
            path.write_bytes(b"x" * 99 + b"\n")
            os.utime(path, (NOW - hours * 3600,) * 2)
    (tmp_path / "notes.txt").write_bytes(b"not ours" * 1000)
    return tmp_path


def left(folder: Path) -> list[str]:
    return sorted(
        f"{path.name[: -len('.jsonl')].rpartition('-')[2][-1]}{path.name[0]}" for path in folder.glob("*.jsonl")
    )


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(1e9, 1 << 30), ["1l", "1p", "2l", "2p", "3l", "3p"]),
        (Limits(2.5 * 3600, 1 << 30), ["2l", "2p", "3l", "3p"]),
        # 600 bytes and 450 allowed: two segments of pairs, never of the ledger.
        (Limits(1e9, 450), ["1l", "2l", "3l", "3p"]),
        (Limits(1e9, 0), ["1l", "2l", "3l"]),
        (Limits(0.0, 0), []),
    ],
)
def test_what_limits_do_not_allow_goes_oldest_first(log: Path, limits: Limits, expected: list[str]) -> None:
    gone = prune(log, limits, NOW)
    assert left(log) == expected
    assert len(gone) == 6 - len(expected)
    assert (log / "notes.txt").exists()


def test_bodies_go_before_any_pair(tmp_path: Path) -> None:
    for counter, hours in ((1, 3), (2, 2), (3, 1)):
        for kind in ("pairs", "bodies", "ledger"):
            path = tmp_path / str(SegmentName(kind, int(NOW), 0, 1, counter, "parquet"))
            path.write_bytes(b"x" * 100)
            os.utime(path, (NOW - hours * 3600,) * 2)
    assert size_of(tmp_path) == 900

    def kinds(limits: Limits) -> list[str]:
        return [f"{segment.name.kind} {segment.name.counter}" for segment in prune(tmp_path, limits, NOW)]

    assert kinds(Limits(1e9, 1 << 30, bodies_s=2.5 * 3600)) == ["bodies 1"]
    assert kinds(Limits(1e9, 650)) == ["bodies 2", "bodies 3"]
    assert kinds(Limits(1e9, 500)) == ["pairs 1"]
    assert kinds(Limits(1.5 * 3600, 1 << 30)) == ["pairs 2", "ledger 1", "ledger 2"]


def test_a_segment_that_is_open_stays(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "pairs", 0, Rotation(1 << 20, 3600.0))
    writer.write(b"x" * 99 + b"\n")
    assert prune(tmp_path, Limits(0.0, 0), NOW + 1e9) == []
    writer.close()
    assert len(prune(tmp_path, Limits(0.0, 0), NOW + 1e9)) == 1


def test_somebody_else_may_delete_meanwhile(log: Path) -> None:
    def delete(path: Path) -> None:
        path.unlink()
        path.unlink()

    assert len(prune(log, Limits(0.0, 0), NOW, delete)) == 6
    assert left(log) == []


def test_the_size_is_that_of_segments(log: Path) -> None:
    assert size_of(log) == 600
    assert size_of(log / "none") == 0


def test_free_space_is_asked_of_the_next_directory_that_exists(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0
