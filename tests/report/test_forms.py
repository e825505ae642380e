"""A log says the same as lines, as columns, and as a mixture of both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.cli import call
from shadowproxy.pairlog import database
from shadowproxy.pairlog.convert import convert
from shadowproxy.report.find import pairs_of
from shadowproxy.report.render import as_json
from shadowproxy.report.select import select
from shadowproxy.report.source import Source, find, reading
from tests.support.pairs import PairLog, answer, compared, differing, differs, incomparable, noisy, refused, timed_out
from tests.support.reports import report_on


def written(root: Path) -> Path:
    """Four segments with everything that a report looks at."""
    for part in range(4):
        log = PairLog(root, every_s=0.7)
        for number in range(60):
            at = part * 60 + number * 0.9
            src = [part, 1772373600000, number + 1]
            twin = answer(ms=11 + number % 5) if number % 2 else None
            more: dict[str, Any] = {
                "at": at,
                "src": src,
                "route": ("a", "b")[number % 2],
                "twin": twin,
                "slices": {"country": ("DE", "FR", None)[number % 3]},
                "warmup": number < 2,
            }
            if number % 11 == 0:
                more |= {
                    "shadow": (timed_out(), refused(), answer(503, bad=True))[number % 3],
                    "comparison": incomparable("shadow_incomplete"),
                }
            elif number % 7 == 0:
                more |= {"comparison": differing("a", "b", differences=[differs(f"$.x[{number}]"), differs("$.y")])}
            else:
                more |= {"comparison": compared(metrics={"tv": number / 60, "nonfinite_shadow": float(number == 30)})}
            if twin and number % 9 == 0:
                more["noise"] = noisy()
            log.pair(id=f"p{part}-{number}", pair_id=f"{part:08d}-0000-7000-8000-{number:012d}", **more)
            log.pair(id=f"p{part}-{number}", pair_id=f"{part:08d}-0001-7000-8000-{number:012d}",
                     **{**more, "candidate": "v3", "trial": "v3-1"})  # fmt: skip
        log.ledger(at=part * 60.0 + 59, worker=part, eligible=120, sent=120, finished={"complete": 110, "timeout": 10},
                   logged=120)  # fmt: skip
        log.write(f"{part}")
    return root


def to_columns(folder: Path, wanted: Callable[[str], bool]) -> None:
    with database.opened(512 << 20, 1) as con:
        for path in sorted(folder.glob("*.jsonl")):
            if wanted(path.stem):
                assert convert(con, path)


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    lines = written(tmp_path_factory.mktemp("forms") / "lines")
    wanted: dict[str, Callable[[str], bool]] = {
        "lines": lambda stem: False,
        "columns": lambda stem: True,
        "mixed": lambda stem: stem in ("pairs-0", "pairs-2", "ledger-1"),
    }
    folders = {"lines": lines}
    for form in ("columns", "mixed"):
        folders[form] = lines.with_name(form)
        shutil.copytree(lines, folders[form])
        to_columns(folders[form], wanted[form])
    return folders


def document(path: Path) -> Any:
    """Without the one thing that names the place."""
    return json.loads(as_json(report_on(path)).replace(str(path), "LOG"))


def test_the_report_is_the_same_to_the_letter(forms: dict[str, Path]) -> None:
    documents = {form: document(path) for form, path in forms.items()}
    assert documents["lines"]["sources"] == {"files": 8, "pairs": 480, "torn_lines": 0, "bad_lines": 0}
    assert documents["columns"] == documents["lines"]
    assert documents["mixed"] == documents["lines"]


QUERIES = (
    "SELECT * FROM pairs ORDER BY pair_id",
    "SELECT * FROM ledger ORDER BY ts",
    "SELECT * FROM trials",
    "SELECT * FROM bodies ORDER BY pair_id, role",
    "DESCRIBE pairs",
)


@pytest.mark.parametrize("sql", QUERIES)
def test_so_is_what_a_query_sees(sql: str, forms: dict[str, Path]) -> None:
    answers = {form: select(find([str(path)]), sql, "csv") for form, path in forms.items()}
    assert answers["lines"].count("\n") > 4 or "trials" in sql
    assert answers["columns"] == answers["lines"]
    assert answers["mixed"] == answers["lines"]


@pytest.mark.parametrize("wanted", ["p0-7", "00000002-0001-7000-8000-000000000003", "p3-59"])
def test_and_one_requests_pairs(wanted: str, forms: dict[str, Path]) -> None:
    found = {form: pairs_of(find([str(path)]), wanted) for form, path in forms.items()}
    assert [pair["candidate"] for pair in found["lines"]] == ["v2", "v3"]
    assert found["columns"] == found["lines"]
    assert found["mixed"] == found["lines"]


def test_single_files_are_read_in_either_form(forms: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["show", "p0-7", str(forms["columns"] / "pairs-0.parquet"), "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)
    assert call(["show", "p0-7", str(forms["lines"] / "pairs-0.jsonl"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == columns


def test_without_their_bodies_pairs_are_still_shown(forms: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "log"
    shutil.copytree(forms["columns"], folder)
    for bodies in folder.glob("bodies-*"):
        bodies.unlink()
    (first, _) = pairs_of(find([str(folder)]), "p0-7")
    assert (first["production"]["body"], first["production"]["body_encoding"]) == (None, "not_stored")
    assert first["production"]["body_bytes"] == 14
    said = document(folder)
    assert said["candidates"] == document(forms["lines"])["candidates"]
    assert [hint for hint in said["hints"] if "no bodies any more" in hint] == [said["hints"][-1]]
    assert said["hints"][-1].startswith("4 segment(s) of the log keep no bodies")


def test_segments_with_other_columns_are_united_by_name(forms: dict[str, Path], tmp_path: Path) -> None:
    """As an older or a newer version would write them."""
    folder = tmp_path / "log"
    shutil.copytree(forms["columns"], folder)
    with database.opened(512 << 20, 1) as con:
        name = folder / "pairs-0.parquet"
        con.execute(f"COPY (SELECT 1 AS new, * FROM '{name}') TO '{name}.2' (FORMAT parquet)")
    (folder / "pairs-0.parquet.2").rename(name)
    assert document(folder) == document(forms["lines"])


def test_segments_of_before_fingerprints_are_read(forms: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "log"
    shutil.copytree(forms["columns"], folder)
    with database.opened(512 << 20, 1) as con:
        for name in folder.glob("pairs-*.parquet"):
            older = "SELECT * EXCLUDE (production_fingerprint, shadow_fingerprint, twin_fingerprint)"
            con.execute(f"COPY ({older} FROM '{name}') TO '{name}.2' (FORMAT parquet)")
            name.with_suffix(".parquet.2").rename(name)
    assert document(folder) == document(forms["lines"])
    assert [pair["production"]["fingerprint"] for pair in pairs_of(find([str(folder)]), "p1-3")] == [None, None]


def test_a_segment_that_becomes_columns_while_it_is_read_is_read_as_columns(
    forms: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    shutil.copytree(forms["lines"], folder)
    asked: list[Source] = []

    def ask(source: Source) -> str:
        asked.append(source)
        if len(asked) == 1:
            to_columns(folder, lambda stem: True)
        return select(source, "SELECT count(*) AS n FROM pairs", "csv")

    assert reading([str(folder)], ask) == "n\n480\n"
    assert len(asked) == 2
    with pytest.raises(FileNotFoundError):  # what is missing for another reason is told at once
        reading([str(folder)], lambda source: (tmp_path / "nowhere").read_text())
