"""Whatever lies on the disk is read: torn, bad, empty, huge, oddly named. Nothing is fatal, all of it is counted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from shadowproxy.pairlog import database
from shadowproxy.pairlog.reader import is_torn
from shadowproxy.report import engine, views
from shadowproxy.report.source import SourceMissing, SourceUnknown, find
from tests.support.pairs import PairLog, answer, dropped, incomparable
from tests.support.reports import figures_on, report_on


def read(path: Path) -> views.Loaded:
    with engine.opened() as con:
        return views.load_views(con, find([str(path)]))


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log")


def test_a_torn_tail_and_bad_lines_are_counted_apart(log: PairLog) -> None:
    log.pair(times=3)
    log.pairs += [
        "no json",
        "[1]",
        "5",
        '"text"',
        '{"v":1,"kind":"pair"}',
        '{"v":2,"kind":"pair","pair_id":"x"}',
        "\0" * 9,
    ]
    log.ledger(eligible=3, sent=3, finished={"complete": 3}, logged=3)
    log.ledgers.append('{"v":1,"kind":"ledger","ts":"yesterday"}')
    loaded = read(log.write(torn='{"v":1,"kind":"pair","pair'))
    assert (loaded.pairs, loaded.torn_lines, loaded.bad_lines) == (3, 1, 8)  # 7 pairs' and 1 ledger's


def test_a_copy_that_was_dropped_is_neither_a_pair_nor_unreadable(log: PairLog) -> None:
    log.pair(times=3)
    log.pair(shadow=dropped("in_flight"), comparison=incomparable("shadow_dropped"))
    log.ledger(eligible=4, sent=3, dropped={"in_flight": 1}, finished={"complete": 3}, logged=3)
    path = log.write()
    found = read(path)
    assert (found.pairs, found.bad_lines, found.torn_lines) == (3, 0, 0)
    assert (figures_on(path).pairs, figures_on(path).coverage.estimate) == (3, 0.75)


def test_a_whole_last_line_without_newline_is_no_torn_one(log: PairLog) -> None:
    log.pair(times=2)
    last = log.pairs.pop()
    loaded = read(log.write(torn=last))
    assert (loaded.pairs, loaded.torn_lines, loaded.bad_lines) == (2, 0, 0)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_file_may_end_anywhere(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "pairs-1.jsonl"
    whole = '{"v": 1, "kind": "pair", "pair_id": "x"}\n'
    file.write_text("{}\n" + whole[:cut])
    assert is_torn(file) is (cut < len(whole) - 1)


def test_a_value_of_another_type_costs_no_more_than_itself(log: PairLog) -> None:
    log.pair(times=2)
    log.pair(slices="none", key=7, protocol=[1])
    figures = figures_on(log.write())
    assert figures.pairs == 3


@pytest.mark.parametrize("text", ["", "\n", "\n\n  \n"])
def test_an_empty_file_is_a_log_without_pairs(text: str, tmp_path: Path) -> None:
    (tmp_path / "pairs-1.jsonl").write_text(text)
    assert read(tmp_path) == views.Loaded(1, 0, 0, 0)


def test_a_directory_without_segments_is_a_log_without_pairs(tmp_path: Path) -> None:
    assert read(tmp_path) == views.Loaded(0, 0, 0, 0)


@pytest.mark.parametrize(
    "name", ["it's", "~", "a[1]*?", 'quo"te', "käse 日本", "env=prod", "--help", "a\\b", "$HOME;`id`"]
)
def test_a_path_means_itself_however_it_is_spelt(name: str, tmp_path: Path) -> None:
    log = PairLog(tmp_path / name)
    log.pair(times=4)
    near = PairLog(tmp_path / "a1zz")  # what the pattern a[1]*? would match
    near.pair(times=9)
    near.write()
    assert read(log.write(name="x'[0-9]*")).pairs == 4


def test_files_directories_and_patterns_mix_and_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("a", "b"):
        log = PairLog(tmp_path / part)
        log.pair(times=2)
        log.write()
    monkeypatch.chdir(tmp_path)
    found = find(["a", "a/pairs-1.jsonl", "./b/../a", "[ab]/pairs-*.jsonl"])
    assert [os.path.relpath(file) for file in found.pairs] == ["a/pairs-1.jsonl", "b/pairs-1.jsonl"]


def test_the_default_is_the_proxys_own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    PairLog(tmp_path / "shadow-pairs").write()
    assert find([]).paths == ("./shadow-pairs",)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="nowhere: no such file or directory"):
        find([str(tmp_path / "nowhere")])
    with pytest.raises(SourceMissing, match="no such file"):
        find([str(tmp_path / "pairs-*.jsonl")])


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n")
    with pytest.raises(SourceUnknown, match=r"expected a directory or a \.jsonl file"):
        find([str(tmp_path / "data.csv")])


def test_ten_megabytes_of_body_are_read_and_never_needed(log: PairLog) -> None:
    log.pair(times=2, production=answer(body="x" * 10_000_000))
    assert figures_on(log.write()).pairs == 2


def test_lines_up_to_64_mib_are_read_and_longer_ones_left_out(log: PairLog) -> None:
    log.pair(times=2)
    log.pair(production=answer(body="x" * (40 << 20)))  # above the first limit of 16 MiB
    path = log.write()
    assert read(path) == views.Loaded(1, 3, 0, 0)
    with (path / "pairs-1.jsonl").open("a") as file:
        file.write('{"v": 1, "kind": "pair", "key": "' + "y" * (140 << 20) + '"}\n')
        file.write(log.pairs[0] + "\n")
    assert read(path) == views.Loaded(1, 4, 0, 1)


def test_memory_is_bounded(log: PairLog) -> None:
    with engine.opened() as con:
        limit, spill, threads = con.execute(
            "SELECT current_setting('memory_limit'), current_setting('temp_directory'), current_setting('threads')"
        ).fetchone() or ("", "", 0)
    assert limit.endswith("GiB")
    assert float(limit.split()[0]) <= 4
    assert threads <= 4
    assert not os.path.exists(spill)  # removed with the connection


def test_hostile_text_goes_through_as_text(log: PairLog) -> None:
    nasty = "'; DROP TABLE pairs; -- \x1b[31m \u202e [bold] {} %s \0"
    log.pair(route=nasty, candidate="v2", slices={nasty: nasty}, request={"method": nasty, "target": nasty})
    figures = figures_on(log.write())
    assert list(figures.routes) == [nasty]
    assert list(figures.slices) == [nasty]


def test_a_growing_log_is_read_up_to_where_it_is(log: PairLog) -> None:
    log.pair(times=3)
    path = log.write()
    for _ in range(3):
        before = report_on(path).sources.pairs
        with (path / "pairs-1.jsonl").open("a") as file:
            file.write(log.pairs[0] + "\n" + log.pairs[1][:50])
        assert report_on(path).sources.pairs == before + 1
        with (path / "pairs-1.jsonl").open("a") as file:
            file.write(log.pairs[1][50:] + "\n")


def test_overlong_lines_are_cut_out_of_a_copy_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_LINE_BYTES", 8)
    file, copy = tmp_path / "in", tmp_path / "out"
    file.write_bytes(b"1234567\n12345678\n\n123456789012345678901\nab\n12345678901")
    assert database.without_overlong_lines(file, copy) == 3  # a line's newline counts
    assert copy.read_bytes() == b"1234567\n\nab\n"


def test_the_builder_writes_the_keys_of_the_contract(log: PairLog) -> None:
    log.pair()
    keys = "v kind pair_id id key ts src trial origin route protocol candidate answered_by warmup slices request "
    keys += "production shadow twin comparison noise"
    assert list(json.loads(log.pairs[0])) == keys.split()
