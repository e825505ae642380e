"""Following a log: each line once, over rotation, conversion and deletion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowproxy.pairlog import database
from shadowproxy.pairlog.convert import convert
from shadowproxy.pairlog.follow import Follower
from tests.support.pairs import PairLog


def line(number: int) -> str:
    log = PairLog(Path("unused"))
    log.pair(id=f"r{number}", src=[0, 1772373600000, number], pair_id=f"p{number}")
    return log.pairs[0] + "\n"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def ids(follower: Follower) -> list[str]:
    return [pair["id"] for pair in follower.new()]


@pytest.mark.parametrize(("lines", "expected"), [(0, []), (2, ["r3", "r4"]), (4, ["r1", "r2", "r3", "r4"]),
                                                 (99, ["r1", "r2", "r3", "r4"])])  # fmt: skip
def test_it_begins_with_the_last_lines(lines: int, expected: list[str], tmp_path: Path) -> None:
    append(tmp_path / "pairs-1.jsonl", "".join(map(line, range(1, 5))))
    follower = Follower([tmp_path], lines)
    assert ids(follower) == expected
    assert ids(follower) == []
    follower.close()


def test_the_last_lines_are_the_last_of_those_that_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `grep | tail` would have it: not what is wanted of the last lines."""
    monkeypatch.setattr("shadowproxy.pairlog.follow._BLOCK", 1000)  # a line is longer than a block
    path = tmp_path / "pairs-1.jsonl"
    append(path, "".join(map(line, range(1, 8))) + "no json\n" + line(8)[:40])
    follower = Follower([tmp_path], 2, lambda pair: int(pair["id"][1:]) % 3 == 0)
    assert ids(follower) == ["r3", "r6"]
    append(path, line(8)[40:] + line(9))
    assert ids(follower) == ["r9"]
    follower.close()


@pytest.mark.parametrize("lines", [0, 1])
def test_a_line_that_is_being_written_comes_when_it_is_whole(lines: int, tmp_path: Path) -> None:
    path = tmp_path / "pairs-1.jsonl"
    append(path, line(1) + line(2)[:40])
    follower = Follower([tmp_path], lines)
    assert ids(follower) == ["r1"][:lines]
    append(path, line(2)[40:])
    assert ids(follower) == ["r2"]
    follower.close()


def test_new_lines_come_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "pairs-1.jsonl"
    append(path, line(1))
    follower = Follower([tmp_path])
    assert ids(follower) == []
    append(path, line(2) + line(3)[:40])
    assert ids(follower) == ["r2"]
    append(path, line(3)[40:] + "no json\n" + json.dumps({"v": 2, "kind": "pair"}) + "\n   \n")
    assert ids(follower) == ["r3"]
    follower.close()


def test_it_goes_on_with_the_next_segment_and_misses_nothing_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "pairs-1.jsonl"
    append(path, line(1))
    follower = Follower([tmp_path])
    assert ids(follower) == []
    append(path, line(2))
    append(tmp_path / "pairs-2.jsonl", line(3))
    with database.opened(512 << 20, 1) as con:
        assert convert(con, path)
    assert sorted(ids(follower)) == ["r2", "r3"]
    assert ids(follower) == []
    append(tmp_path / "pairs-2.jsonl", line(4))
    assert ids(follower) == ["r4"]
    follower.close()
