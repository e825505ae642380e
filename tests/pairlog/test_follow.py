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
