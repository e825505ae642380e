"""What the report reads agrees with what the recorder writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from shadowproxy.pairlog.schema import PAIRS
from shadowproxy.report import schema

DuckType = Any


def narrowed(path: str, narrow: DuckType, whole: DuckType) -> Iterator[str]:
    """Where `narrow` has something that `whole` has not, or has as another type."""
    if narrow.id == "struct" and whole.id == "struct":
        known = dict(whole.children)
        for name, kind in narrow.children:
            if name in known:
                yield from narrowed(f"{path}.{name}", kind, known[name])
            else:
                yield f"{path}.{name} is not in the log"
    elif narrow.id == "list" and whole.id == "list":
        yield from narrowed(f"{path}[]", narrow.children[0][1], whole.children[0][1])
    elif str(narrow) != str(whole):
        yield f"{path} is {whole} in the log, not {narrow}"


@pytest.mark.parametrize("columns", [schema.PAIRS, schema.BODIES], ids=["pairs", "bodies"])
def test_each_type_is_a_part_of_the_logs(columns: dict[str, str]) -> None:
    con = duckdb.connect()
    wrong = [
        said for name, kind in columns.items() for said in narrowed(name, con.sqltype(kind), con.sqltype(PAIRS[name]))
    ]
    assert wrong == []


def test_bodies_are_left_out_of_figures() -> None:
    assert "body VARCHAR" not in str(schema.PAIRS)
    assert "headers" not in str(schema.PAIRS)
