"""Reading a log: directories and files in any mixture, unfinished and broken lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.pairlog.reader import find
from tests.support.pairs import PairLog


def test_a_directorys_segments_are_found_and_read(tmp_path: Path) -> None:
    written = PairLog(tmp_path)
    written.pair(times=3)
    written.ledger()
    written.write("b")
    other = PairLog(tmp_path)
    other.pair(candidate="v3")
    other.write("a")
    (tmp_path / "notes.txt").write_text("not ours")
    log = find([tmp_path])
    assert [path.name for path in log.files] == ["pairs-a.jsonl", "pairs-b.jsonl", "ledger-b.jsonl"]
    assert [pair["candidate"] for pair in log.pairs()] == ["v3", "v2", "v2", "v2"]
    assert [row["kind"] for row in log.ledger()] == ["ledger"]
    assert (log.torn_lines, log.bad_lines) == (0, 0)


def test_any_mixture_counts_each_file_once(tmp_path: Path) -> None:
    written = PairLog(tmp_path / "log")
    written.pair()
    written.ledger()
    folder = written.write()
    (tmp_path / "link").symlink_to(folder)
    log = find([folder, folder / "pairs-1.jsonl", tmp_path / "link"])
    assert len(log.files) == 2


def test_a_renamed_file_says_itself_what_it_is(tmp_path: Path) -> None:
    written = PairLog(tmp_path / "log")
    written.pair()
    written.ledger()
    folder = written.write()
    for kind in ("pairs", "ledger"):
        (folder / f"{kind}-1.jsonl").rename(tmp_path / f"copy-of-{kind}.txt")
    log = find([tmp_path / "copy-of-pairs.txt", tmp_path / "copy-of-ledger.txt"])
    assert (len(list(log.pairs())), len(list(log.ledger()))) == (1, 1)


def test_unfinished_and_broken_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    written = PairLog(tmp_path)
    written.pair(times=2)
    written.pairs.insert(1, '{"v": 1, "kind": "pair"')
    written.pairs.insert(1, '{"v": 2, "kind": "pair"}')
    written.pairs.insert(1, "[1]")
    written.pairs.insert(1, "")
    written.write(torn='{"v": 1, "kind": "pa')
    log = find([tmp_path])
    assert len(list(log.pairs())) == 2
    assert (log.torn_lines, log.bad_lines) == (1, 3)


@pytest.mark.parametrize("tail", [b'{"a\xb3": 1', b'{"a": "\xff"}', b"[" * 100_000], ids=["name", "text", "nested"])
def test_a_tail_that_is_no_text_or_without_end_is_torn(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "pairs-1.jsonl").write_bytes(tail)
    log = find([tmp_path])
    assert (list(log.pairs()), log.torn_lines, log.bad_lines) == ([], 1, 0)


def test_an_empty_file_is_no_torn_one(tmp_path: Path) -> None:
    (tmp_path / "pairs-1.jsonl").touch()
    log = find([tmp_path])
    assert (list(log.pairs()), log.torn_lines, log.bad_lines) == ([], 0, 0)


def test_an_empty_directory_is_an_empty_log(tmp_path: Path) -> None:
    assert find([tmp_path]).files == ()


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or directory"):
        find([tmp_path / "nowhere"])
