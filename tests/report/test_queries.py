"""The ten queries of docs/queries.md run as they stand, over lines and over columns, and find what they promise."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shadowproxy.report.select import select
from shadowproxy.report.source import find
from tests.report.test_forms import to_columns, written

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^## (.+?)\n\n```sql\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    lines, columns = (written(tmp_path_factory.mktemp("queries") / form) for form in ("lines", "columns"))
    to_columns(columns, lambda stem: True)
    return [lines, columns]


def test_there_are_ten() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("title", QUERIES)
def test_each_finds_something_and_the_same_in_either_form(title: str, logs: list[Path]) -> None:
    answers = [json.loads(select(find([str(path)]), QUERIES[title], "json")) for path in logs]
    assert len(answers[0]) >= 1
    assert len(answers[0]) == len(answers[1])


def test_figures_are_those_of_the_report(logs: list[Path]) -> None:
    [first, *_] = json.loads(select(find([str(logs[0])]), QUERIES["What differs most often"], "json"))
    assert first["field"] in ("$.x[*]", "$.y")
    ledger = json.loads(select(find([str(logs[0])]), QUERIES["What became of the copies, from the ledger"], "json"))
    assert [(row["eligible"], row["logged"], row["coverage_percent"]) for row in ledger] == [(480, 480, 100.0)]
