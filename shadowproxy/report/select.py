"""`sql`: a question of the user's to the views of the log, which can touch nothing but them.

The views are read into memory (or spilled) first, then DuckDB's access to anything outside is switched off and the
configuration locked: what a query could name, it cannot open. `COPY`, `ATTACH`, `INSTALL` and the like are refused,
also where they hide in a common table expression (DuckDB 2 runs `WITH x AS (COPY … TO …)`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import duckdb

from shadowproxy.report import engine, views
from shadowproxy.report.source import Source
from shadowproxy.report.words import plain

_NAMES_BODIES: Final = re.compile(r"\bbodies\b", re.IGNORECASE)
_WIDEST: Final = 80
_NULL: Final = ""

Row = tuple[str | None, ...]


class QueryError(Exception):
    """A query that DuckDB refuses; the message is one sentence."""


def select(source: Source, sql: str, form: str) -> str:
    """The answer as `table`, `csv` or `json` (one array of objects). Raises QueryError."""
    with engine.opened() as con:
        views.load_views(con, source)
        names: tuple[str, ...] = views.VIEWS
        if _NAMES_BODIES.search(sql):
            views.load_bodies(con, source)
            names = (*names, "bodies")
        _take_in(con, names)
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        try:
            return _FORMS[form](con, _question(con, sql))
        except duckdb.Error as e:
            raise QueryError(engine.sentence(e)) from None


def _take_in(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Views over files become tables: files are out of reach from now on."""
    for name in reversed(names):  # `trials` stands on `pairs`
        con.execute(f"CREATE TABLE {name}_read AS FROM {name}")
    for name in names:
        con.execute(f"CREATE OR REPLACE VIEW {name} AS FROM {name}_read")


def _question(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    statements = con.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("expected one SELECT (or DESCRIBE, SUMMARIZE, SHOW) over pairs, bodies, ledger and trials")
    return str(statements[0].query).strip().rstrip(";")


def _table(con: duckdb.DuckDBPyConnection, question: str) -> str:
    names, rows = _texts(con, question)
    cells = [names, *([plain(cell, _WIDEST) if cell is not None else _NULL for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join([*lines, f"({len(rows):,} row{'' if len(rows) == 1 else 's'})"]) + "\n"


def _csv(con: duckdb.DuckDBPyConnection, question: str) -> str:
    names, rows = _texts(con, question)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([names, *rows])
    return out.getvalue()


def _json(con: duckdb.DuckDBPyConnection, question: str) -> str:
    # A column of that name would be taken for the row.
    rows = con.execute(f'SELECT CAST(to_json("whole row") AS VARCHAR) FROM (\n{question}\n) AS "whole row"').fetchall()
    return "[" + ",\n ".join(str(row[0]) for row in rows) + "]\n"


def _texts(con: duckdb.DuckDBPyConnection, question: str) -> tuple[list[str], Sequence[Row]]:
    """Everything as DuckDB writes it: a time with its zone needs no Python type of its own."""
    answer = con.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n{question}\n) AS answer")
    names = [plain(column[0], _WIDEST) for column in answer.description or ()]
    return names, answer.fetchall()


_FORMS: Final[Mapping[str, Callable[[duckdb.DuckDBPyConnection, str], str]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
}
