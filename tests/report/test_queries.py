"""The ten queries of docs/queries.md run as they stand, over lines and over columns, and find what they promise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

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


def in_any_order(rows: list[dict[str, Any]]) -> list[str]:
    """Where a query's order leaves ties, either form may break them its own way."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_there_are_ten() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("title", QUERIES)
def test_each_finds_something_and_the_same_in_either_form(title: str, logs: list[Path]) -> None:
    lines, columns = (json.loads(select(find([str(path)]), QUERIES[title], "json")) for path in logs)
    assert len(lines) >= 1
    assert in_any_order(lines) == in_any_order(columns)


def test_figures_are_those_of_the_report(logs: list[Path]) -> None:
    [first, *_] = json.loads(select(find([str(logs[0])]), QUERIES["What differs most often"], "json"))
    assert first["field"] in ("$.x[*]", "$.y")
    ledger = json.loads(select(find([str(logs[0])]), QUERIES["What became of the copies, from the ledger"], "json"))
    assert [(row["eligible"], row["logged"], row["coverage_percent"]) for row in ledger] == [(480, 480, 100.0)]
