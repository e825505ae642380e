"""Lines become columns: nothing is lost, nothing is there twice, wherever it stops."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shadowproxy.pairlog import convert as module
from shadowproxy.pairlog import database, reader
from shadowproxy.pairlog.convert import Unreadable, convert, remove_leftovers
from shadowproxy.pairlog.marks import Mark, mark_of
from shadowproxy.pairlog.names import SegmentName, segments
from shadowproxy.pairlog.note import Note, note_of
from shadowproxy.pairlog.segment import Rotation, SegmentWriter
from tests.support.pairs import PairLog, answer, compared, differing, differs, noisy, timed_out

BOOT = 1772373600000


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with database.opened(512 << 20, 1) as opened:
        yield opened


def name(kind: str = "pairs", counter: int = 1) -> str:
    return str(SegmentName(kind, BOOT // 1000, 0, 1, counter)).removeprefix(f"{kind}-").removesuffix(".jsonl")


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    log = PairLog(tmp_path / "log")
    log.pair(slices={"country": "DE", "tier": None}, comparison=compared(metrics={"tv": 0.5}))
    values = [differs("$.a[3]", production=12345678901234567890123, other=None), differs("$.b", other="é\0\n'")]
    log.pair(comparison=differing(differences=values), twin=answer(ms=3), noise=noisy())
    log.pair(candidate="v3", trial="v3-1", src=[0, BOOT, 99], shadow=timed_out(), key=None)
    log.pair(
        src=[0, BOOT, 99],
        shadow=answer(500, body="AP8=", body_encoding="base64", bad=True),
        production={**answer(), "stream": {"events": 3, "first_token_ms": 1.5, "per_token_ms": None,
                                           "max_gap_ms": 2.0, "tokens": 7}},
    )  # fmt: skip
    log.ledger(eligible=4, sent=4, finished={"complete": 4}, logged=4)
    return log


def records(folder: Path) -> tuple[list[Any], list[Any]]:
    found = reader.find([folder])
    return list(found.pairs()), list(found.ledger())


def names(folder: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] + path.suffix for path in folder.iterdir())


COLUMNS = ["bodies.parquet", "ledger.parquet", "pairs.parquet"]


def convert_all(con: duckdb.DuckDBPyConnection, folder: Path) -> list[bool]:
    return [convert(con, path) for path in sorted(folder.glob("*.jsonl"))]


def test_columns_give_back_every_line(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    folder = log.write(name())
    before = records(folder)
    assert convert_all(con, folder) == [True, True]
    assert names(folder) == COLUMNS
    assert records(folder) == before


def test_they_are_the_contracts_columns_in_zstd(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    folder = log.write(name())
    convert_all(con, folder)
    (pairs,) = folder.glob("pairs-*")
    (bodies,) = folder.glob("bodies-*")
    types = {row[0]: row[1] for row in con.execute(f"DESCRIBE FROM '{pairs}'").fetchall()}
    wanted = {"ts": "TIMESTAMP WITH TIME ZONE", "shadow_status": "SMALLINT", "twin_bad": "BOOLEAN",
              "production_latency_ms": "DOUBLE", "shadow_tokens": "INTEGER", "twin_body_bytes": "BIGINT",
              "slices": "MAP(VARCHAR, VARCHAR)", "metrics": "MAP(VARCHAR, DOUBLE)", "differing_paths": "VARCHAR[]",
              "noise_paths": "VARCHAR[]", "agrees": "BOOLEAN", "answered_by": "VARCHAR"}  # fmt: skip
    assert {column: types[column] for column in wanted} == wanted
    described = [row[0] for row in con.execute(f"DESCRIBE FROM '{bodies}'").fetchall()]
    assert described[:9] == [
        "pair_id",
        "id",
        "trial",
        "upstream",
        "role",
        "headers",
        "body",
        "body_encoding",
        "body_truncated",
    ]
    codecs = con.execute(
        f"SELECT DISTINCT compression FROM parquet_metadata('{folder}/*.parquet') WHERE total_compressed_size > 100"
    )
    assert codecs.fetchall() == [("ZSTD",)]


def test_each_body_stands_once_however_many_candidates(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    folder = log.write(name())
    convert_all(con, folder)
    counted = con.execute(f"SELECT role, count(*) FROM '{folder}/bodies-*.parquet' GROUP BY role ORDER BY role")
    assert counted.fetchall() == [("production", 3), ("request", 3), ("shadow", 4), ("twin", 1)]


def test_a_body_that_only_one_candidates_line_has_is_kept(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    log = PairLog(tmp_path)
    bare = answer(body=None, body_encoding="not_stored")
    log.pair(src=[0, BOOT, 1], production=bare, shadow=bare, request={**request(), "body": None,
                                                                     "body_encoding": "not_stored"})  # fmt: skip
    log.pair(src=[0, BOOT, 1], candidate="v3", comparison=differing())
    convert_all(con, log.write(name()))
    bodies = con.execute(f"SELECT role, body FROM '{tmp_path}/bodies-*.parquet' WHERE role <> 'shadow' ORDER BY role")
    assert bodies.fetchall() == [("production", '{"label": "a"}'), ("request", '{"x": 1}')]


def request() -> dict[str, Any]:
    return {"method": "POST", "target": "/predict", "headers": [], "body": '{"x": 1}', "body_encoding": "utf8",
            "body_bytes": 8, "body_truncated": False}  # fmt: skip


STEPS = ("columns are written", "bodies have their name", "pairs have their name", "lines are removed")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("survived", range(6))
def test_killed_at_any_step_a_log_reads_the_same_and_the_next_one_finishes(
    survived: int, log: PairLog, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = log.write(name())
    before = records(folder)
    done = 0

    def step(do: Any) -> Any:
        def guarded(*arguments: Any, **more: Any) -> Any:
            nonlocal done
            if done >= survived:
                raise Killed
            done += 1
            return do(*arguments, **more)

        return guarded

    (lines,) = folder.glob("pairs-*.jsonl")
    monkeypatch.setattr(module, "_copy", step(module._copy))  # two of them
    monkeypatch.setattr(os, "replace", step(os.replace))  # two of them
    monkeypatch.setattr(Path, "unlink", step(Path.unlink))  # one
    if survived < 5:
        with pytest.raises(Killed):
            convert(con, lines)
    else:
        assert convert(con, lines) is True
    monkeypatch.undo()
    assert records(folder) == before
    remove_leftovers(folder)
    assert convert_all(con, folder)[-1] is True
    assert names(folder) == COLUMNS
    assert records(folder) == before


def test_lines_beside_columns_are_not_adopted(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    folder = log.write(name())
    (lines,) = folder.glob("pairs-*.jsonl")
    copy = lines.read_bytes()
    convert(con, lines)
    lines.write_bytes(copy)
    writer = SegmentWriter(folder, "pairs", 0, Rotation(1 << 20, 1e12), clock=lambda: BOOT / 1000)
    assert writer.adopt() is None
    writer.write(b"{}\n")
    assert writer.path is not None
    assert (lines.read_bytes(), writer.path.name[-12:]) == (copy, "000002.jsonl")
    writer.close()


def test_an_open_segment_is_left_alone(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    writer = SegmentWriter(tmp_path, "pairs", 0, Rotation(1 << 20, 3600.0))
    writer.write(b"{}\n")
    assert writer.path is not None
    assert convert(con, writer.path) is False
    writer.close()
    empty = tmp_path / f"pairs-{name(counter=9)}.jsonl"
    empty.touch()
    assert convert(con, empty) is False
    assert convert(con, tmp_path / "gone.jsonl") is False


def test_what_cannot_be_read_is_not_thrown_away(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    log.pairs.insert(1, '{"v": 2, "kind": "pair", "pair_id": "x"}')
    folder = log.write(name())
    (lines,) = folder.glob("pairs-*.jsonl")
    with pytest.raises(Unreadable, match="1 lines are no records"):
        convert(con, lines)
    assert names(folder) == ["ledger.jsonl", "pairs.jsonl"]


def test_an_unfinished_last_line_is_left_out_and_counted(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    folder = log.write(name(), torn='{"v": 1, "kind": "pair", "id": "half')
    before = records(folder)
    convert_all(con, folder)
    assert records(folder) == before
    assert reader.find([folder]).torn_lines == 1


def test_age_and_mode_are_those_of_the_lines(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    folder = log.write(name())
    for path in folder.iterdir():
        os.utime(path, (BOOT / 1000,) * 2)
    convert_all(con, folder)
    for path in folder.iterdir():
        assert (path.stat().st_mtime, stat.S_IMODE(path.stat().st_mode)) == (BOOT / 1000, 0o600)


def test_a_recorder_finds_in_columns_how_far_it_had_come(log: PairLog, con: duckdb.DuckDBPyConnection) -> None:
    log.pair(src=[1, BOOT, 7], candidate='v"{}')
    folder = log.write(name())
    convert_all(con, folder)

    def mark(worker: int) -> Mark:
        return mark_of(reversed(segments(folder, "pairs")), worker, BOOT)

    assert mark(0) == Mark(98, frozenset({"v2", "v3"}))
    assert mark(1) == Mark(6, frozenset({'v"{}'}))  # the last frame may be there in part
    assert mark(2) == Mark(0)


def test_a_frame_that_two_segments_share_is_known_whole_from_their_columns(
    log: PairLog, con: duckdb.DuckDBPyConnection
) -> None:
    for seq, candidate in ((6, "v2"), (7, "v2")):
        log.pair(src=[3, BOOT, seq], candidate=candidate)
    log.write(name())
    log.pairs.clear()
    log.pair(src=[3, BOOT, 7], candidate="v3")
    folder = log.write(name(counter=2))
    convert_all(con, folder)
    assert mark_of(reversed(segments(folder, "pairs")), 3, BOOT) == Mark(6, frozenset({"v2", "v3"}))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100, b"PAR1" + b"\xff" * 4 + b"PAR1", b'{"v":1,"torn":' * 9])
def test_a_file_without_a_note_has_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(data)
    assert note_of(path) == Note()
