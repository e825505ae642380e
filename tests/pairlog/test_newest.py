"""Pages of pairs, newest first, over lines and columns, and over a log that changes between two pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadowproxy.pairlog import database, newest
from shadowproxy.pairlog.convert import convert
from shadowproxy.pairlog.names import SegmentName
from shadowproxy.pairlog.newest import Cursor, page, parse_cursor
from tests.support.pairs import PairLog, answer, compared, differing


def segment(counter: int) -> str:
    return str(SegmentName("pairs", 1772373600, 0, 1, counter)).removeprefix("pairs-").removesuffix(".jsonl")


def written(folder: Path, sizes: tuple[int, ...]) -> list[str]:
    """Segments of so many pairs each; every third pair disagrees. Returns all pair ids, newest first."""
    log, ids = PairLog(folder), []
    for counter, size in enumerate(sizes, start=1):
        for _ in range(size):
            comparison = differing() if len(ids) % 3 == 0 else compared()
            shadow = answer(500, bad=True) if len(ids) % 5 == 0 else answer()
            ids.append(log.pair(candidate="v3" if len(ids) % 2 else "v2", comparison=comparison, shadow=shadow))
        log.write(segment(counter))
        log.pairs.clear()
    return ids[::-1]


def become_columns(folder: Path, counter: int) -> None:
    with database.opened(512 << 20, 1) as con:
        assert convert(con, folder / f"pairs-{segment(counter)}.jsonl")


def pages(folder: Path, limit: int, **wanted: Any) -> list[list[str]]:
    found, cursor = [], None
    while True:
        one = page(folder, wanted, limit, cursor)
        found.append([pair["pair_id"] for pair in one.pairs])
        if one.next is None:
            return found
        cursor = parse_cursor(str(one.next))


@pytest.mark.parametrize(
    ("limit", "columns"), [(1, ()), (3, ()), (100, ()), (4, (1,)), (100, (1, 2)), (5, (1, 2, 3)), (7, (2,))]
)
def test_every_pair_comes_once_and_the_newest_first(tmp_path: Path, limit: int, columns: tuple[int, ...]) -> None:
    ids = written(tmp_path, (4, 6, 5))
    for counter in columns:
        become_columns(tmp_path, counter)
    found = pages(tmp_path, limit)
    assert [one for some in found for one in some] == ids
    assert all(len(some) <= limit for some in found)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize(
    ("wanted", "of"),
    [
        ({"candidate": "v3"}, lambda at: at % 2 == 1),
        ({"agrees": False}, lambda at: at % 3 == 0),
        ({"result": "same", "candidate": "v2"}, lambda at: at % 3 != 0 and at % 2 == 0),
        ({"outcome": "complete"}, lambda at: True),
        ({"route": "elsewhere"}, lambda at: False),
        ({"trial": "v2"}, lambda at: False),  # a value that stands elsewhere in the line is no match
    ],
)
def test_filters_are_met_in_both_forms(tmp_path: Path, columns: bool, wanted: dict[str, Any], of: Any) -> None:
    ids = written(tmp_path, (30,))
    if columns:
        become_columns(tmp_path, 1)
    expected = [one for at, one in enumerate(reversed(ids)) if of(at)][::-1]
    assert [one for some in pages(tmp_path, 4, **wanted) for one in some] == expected


def test_a_cursor_holds_when_its_segment_becomes_columns_or_is_gone(tmp_path: Path) -> None:
    ids = written(tmp_path, (5, 5))
    first = page(tmp_path, {}, 3, None)
    become_columns(tmp_path, 2)
    second = page(tmp_path, {}, 3, first.next)
    assert [pair["pair_id"] for pair in second.pairs] == ids[3:6]
    for file in tmp_path.glob(f"*-{segment(1)}*"):
        file.unlink()
    assert page(tmp_path, {}, 3, second.next).pairs == []


def test_pairs_that_come_meanwhile_do_not_come_twice(tmp_path: Path) -> None:
    ids = written(tmp_path, (5,))
    first = page(tmp_path, {}, 2, None)
    path = tmp_path / f"pairs-{segment(1)}.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes())
    assert [pair["pair_id"] for pair in page(tmp_path, {}, 9, first.next).pairs] == ids[2:]


def test_what_is_torn_or_no_pair_is_passed_over(tmp_path: Path) -> None:
    ids = written(tmp_path, (3,))
    path = tmp_path / f"pairs-{segment(1)}.jsonl"
    path.write_bytes(b"nonsense\n\n" + path.read_bytes() + b'{"kind": "other"}\n[]\n{"v": 1, "kind": "pair", "torn')
    assert pages(tmp_path, 100) == [ids]


def test_a_page_reads_so_much_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = written(tmp_path, (20,))
    monkeypatch.setattr(newest, "MAX_BYTES", 5000)
    found = pages(tmp_path, 100, candidate="v2")
    assert len(found) > 3
    assert [one for some in found for one in some] == [one for at, one in enumerate(reversed(ids)) if at % 2 == 0][::-1]


def test_lines_longer_than_a_step_come_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "_STEP", 100)
    ids = written(tmp_path, (4,))
    assert pages(tmp_path, 2) == [ids[:2], ids[2:], []]


def test_no_log_is_no_pair(tmp_path: Path) -> None:
    assert page(tmp_path / "nothing", {}, 5, None) == ([], None)


@pytest.mark.parametrize("text", ["", "x", "1", "1.", "1.2.ü", "1.2.3/4", "-1.2", "9" * 20 + ".1"])
def test_what_is_no_cursor_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="earlier page"):
        parse_cursor(text)


def test_a_cursor_is_read_as_it_was_written() -> None:
    for cursor in (Cursor(3, 500, ""), Cursor(3, 0, "01900000-0000-7000-8000-000000000001")):
        assert parse_cursor(str(cursor)) == cursor
