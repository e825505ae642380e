"""Segment names, and the order that they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.pairlog.names import SegmentName, bodies_of, columns_of, parse, segments


def test_a_name_is_read_as_it_was_written() -> None:
    name = SegmentName("pairs", 1_772_373_600, 0, 4711, 12)
    assert str(name) == "pairs-20260301T140000Z-0-4711-000012.jsonl"
    assert parse(str(name)) == name


def test_columns_have_the_name_of_their_lines() -> None:
    lines = Path("x") / "pairs-20260301T140000Z-0-4711-000012.jsonl"
    name = parse(columns_of(lines).name)
    assert name == SegmentName("pairs", 1_772_373_600, 0, 4711, 12, "parquet")
    assert str(bodies_of(lines)) == "x/bodies-20260301T140000Z-0-4711-000012.parquet"
    assert bodies_of(columns_of(lines)) == bodies_of(lines)


def test_counters_beyond_six_digits_are_still_names() -> None:
    name = SegmentName("ledger", 0, 1, 2, 12_345_678)
    assert parse(str(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "pairs-1.jsonl",
        "bodies-20260301T140000Z-0-4711-000012.jsonl",
        ".converting-x",
        "pairs-20261301T140000Z-0-4711-000012.jsonl",
        "other-20260301T140000Z-0-4711-000012.jsonl",
        "pairs-20260301T140000Z-0-4711-000012.jsonl.bak",
    ],
)
def test_other_files_are_none_of_ours(name: str) -> None:
    assert parse(name) is None


def test_segments_stand_in_the_order_of_their_counters_whatever_the_clock_did(tmp_path: Path) -> None:
    names = [SegmentName("pairs", opened, 0, 7, counter) for counter, opened in ((1, 5000), (2, 3000), (10, 4000))]
    for name in reversed(names):
        (tmp_path / str(name)).write_bytes(b"x" * name.counter)
    (tmp_path / "ledger-20260301T140000Z-0-4711-000012.jsonl").touch()
    (tmp_path / "notes.txt").touch()
    found = segments(tmp_path, "pairs")
    assert [(segment.name, segment.size_bytes) for segment in found] == list(zip(names, (1, 2, 10), strict=True))


def test_a_directory_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert segments(tmp_path / "none", "pairs") == []
