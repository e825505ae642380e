"""A request that is forgotten is nowhere any more, in either form, and everything else is where it was."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.pairlog import database, reader
from shadowproxy.pairlog.convert import HIDDEN, convert
from shadowproxy.pairlog.forget import Removed, Wanted, forget
from shadowproxy.pairlog.marks import Mark, mark_of
from shadowproxy.pairlog.names import SegmentName, segments
from shadowproxy.pairlog.segment import Rotation, SegmentWriter
from tests.support.pairs import PairLog, answer
from tests.support.reports import report_on

BOOT = 1772373600000
SECRET = '{"secret": "tell nobody"}'


def body() -> dict[str, Any]:
    return answer(body=SECRET)


def write_log(folder: Path, first: int = 1) -> None:
    """Two requests, the second for two candidates and with a secret in every body."""
    for part in range(2):
        log = PairLog(folder)
        number = first + part
        log.pair(id=f"keep-{number}", src=[0, BOOT, 10 * number], pair_id=f"k{number}", key="k")
        for candidate in ("v2", "v3"):
            log.pair(
                id="gone",
                pair_id=f"g{number}{candidate}",
                key="x",
                candidate=candidate,
                src=[0, BOOT, 10 * number + 1],
                production=body(),
                shadow=body(),
                twin=body(),
            )
        log.pair(id=f"keep-{number}b", pair_id=f"b{number}", src=[0, BOOT, 10 * number + 2], key='k"\n')
        log.pairs = [json.dumps(json.loads(pair), separators=(",", ":")) for pair in log.pairs]
        log.write("x")
        (folder / "pairs-x.jsonl").rename(folder / str(SegmentName("pairs", BOOT // 1000, 0, 1, number)))


@pytest.fixture(params=["lines", "columns", "mixed"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write_log(tmp_path)
    paths = sorted(tmp_path.glob("*.jsonl"))
    with database.opened(512 << 20, 1) as con:
        for path in {"lines": [], "columns": paths, "mixed": paths[:1]}[request.param]:
            assert convert(con, path)
    return tmp_path


def ids(folder: Path) -> Counter[str]:
    return Counter(pair["id"] for pair in reader.find([folder]).pairs())


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


KEPT = Counter({"keep-1": 1, "keep-1b": 1, "keep-2": 1, "keep-2b": 1})


def test_a_request_id_takes_all_of_its_requests(folder: Path) -> None:
    removed = forget([folder], Wanted(id="gone"))
    assert (sum(removed.pairs.values()), removed.requests, len(removed.pairs)) == (4, 2, 2)
    assert ids(folder) == KEPT
    with database.opened(512 << 20, 1) as con:
        for path in folder.glob("bodies-*"):
            assert con.execute(f"SELECT count(*) FROM '{path}' WHERE body LIKE '%secret%'").fetchone() == (0,)
            assert con.execute(f"SELECT count(DISTINCT seq) FROM '{path}'").fetchone() == (2,)
    assert b"tell nobody" not in all_bytes(folder)
    report = report_on(folder)
    assert (report.sources.pairs, report.sources.torn_lines, report.sources.bad_lines) == (4, 0, 0)


def test_a_pairs_id_takes_the_pairs_of_its_request(folder: Path) -> None:
    removed = forget([folder], Wanted(id="g1v3"))
    assert (sum(removed.pairs.values()), removed.requests) == (2, 1)
    assert ids(folder) == KEPT + Counter({"gone": 2})


def test_a_key_takes_every_request_that_has_it(folder: Path) -> None:
    assert forget([folder], Wanted(key='k"\n')).requests == 2
    assert forget([folder], Wanted(key="k")).requests == 2
    assert ids(folder) == Counter({"gone": 4})


def test_what_is_not_there_changes_nothing(folder: Path) -> None:
    before = all_bytes(folder)
    assert forget([folder], Wanted(id="keep")) == Removed(Counter(), 0, 0)  # a beginning is no id
    assert all_bytes(folder) == before


def test_marks_age_and_mode_stay(folder: Path) -> None:
    for path in folder.iterdir():
        os.utime(path, (BOOT / 1000 + 60,) * 2)
        os.chmod(path, 0o600)
    forget([folder], Wanted(id="gone"))
    assert mark_of(reversed(segments(folder, "pairs")), 0, BOOT) in (Mark(22), Mark(21, frozenset({"v2"})))
    for path in folder.glob("*.parquet"):
        assert (path.stat().st_mtime, path.stat().st_mode & 0o777) == (BOOT / 1000 + 60, 0o600)


def test_a_segment_that_is_being_written_is_written_on(tmp_path: Path) -> None:
    write_log(tmp_path / "made")
    lines = b"".join(path.read_bytes() for path in sorted((tmp_path / "made").glob("*.jsonl")))
    writer = SegmentWriter(tmp_path / "log", "pairs", 0, Rotation(1 << 20, 3600.0))
    writer.write(lines)
    assert forget([tmp_path / "log"], Wanted(id="gone")).requests == 2
    writer.write(lines)
    writer.close()
    assert ids(tmp_path / "log") == KEPT + KEPT + Counter({"gone": 4})


def test_lines_beside_their_columns_are_forgotten_too(tmp_path: Path) -> None:
    """Readers ignore them, and a conversion that was killed has not removed them yet."""
    write_log(tmp_path)
    first = min(tmp_path.glob("*.jsonl"))
    copy = first.read_bytes()
    with database.opened(512 << 20, 1) as con:
        convert(con, first)
    first.write_bytes(copy)
    forget([tmp_path], Wanted(id="gone"))
    assert b"tell nobody" not in all_bytes(tmp_path)


def test_a_conversion_under_way_is_waited_for(tmp_path: Path) -> None:
    """It has read the lines before they were blanked; its columns are forgotten in the next pass."""
    write_log(tmp_path)
    lines = sorted(tmp_path.glob("*.jsonl"))[0]
    copy = lines.read_bytes()
    scratch = tmp_path / f"{HIDDEN}x"
    scratch.mkdir()

    def finish(_: float) -> None:
        if scratch.exists():
            assert b"tell nobody" not in lines.read_bytes()
            lines.write_bytes(copy)
            with database.opened(512 << 20, 1) as con:
                convert(con, lines)
            scratch.rmdir()

    assert forget([tmp_path], Wanted(id="gone"), finish).requests == 2
    assert ids(tmp_path) == KEPT


def test_one_that_does_not_end_is_told_and_one_that_was_killed_is_no_hindrance(tmp_path: Path) -> None:
    write_log(tmp_path)
    scratch = tmp_path / f"{HIDDEN}x"
    scratch.mkdir()
    with pytest.raises(TimeoutError, match="still under way"):
        forget([tmp_path], Wanted(id="gone"), lambda _: None, patience_s=0.3)
    os.utime(scratch, (BOOT / 1000,) * 2)
    assert forget([tmp_path], Wanted(id="keep-1")).requests == 1
    assert not scratch.exists()
