"""The views `pairs`, `bodies`, `ledger` and `trials`, over columns and lines in any mixture.

Lines become columns first (`pairlog.columns`), in a scratch file: whatever is asked is asked of the same rows, in
either form, and memory does not grow with the log. Figures and `sql` read the same views, so what a report says can be
asked again by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from shadowproxy.pairlog import columns
from shadowproxy.pairlog.convert import copy_bodies
from shadowproxy.pairlog.database import over_lines
from shadowproxy.pairlog.reader import is_columns, torn_lines_of
from shadowproxy.pairlog.schema import LEDGER
from shadowproxy.report import engine, schema
from shadowproxy.report.source import Source

VIEWS: Final = ("pairs", "ledger", "trials")
_SCRATCH: Final = "(FORMAT parquet, COMPRESSION lz4)"

_TRIALS: Final = """
CREATE VIEW trials AS
SELECT trial, candidate, any_value(origin) AS origin, any_value(production_upstream) AS production,
  list_sort(list(DISTINCT production_version)) AS production_versions,
  list_sort(list(DISTINCT shadow_version)) AS shadow_versions,
  min(ts) AS first_ts, max(ts) AS last_ts, count(*) AS pairs, count(*) FILTER (warmup) AS warmup_pairs
FROM pairs GROUP BY trial, candidate ORDER BY last_ts DESC, trial
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read: the counts that a report names as its sources."""

    files: int
    pairs: int
    torn_lines: int
    bad_lines: int
    without_bodies: int = 0  # segments whose bodies are kept no longer


def load_views(con: duckdb.DuckDBPyConnection, source: Source) -> Loaded:
    """Create `pairs`, `ledger` and `trials`, and count what could not be read."""
    bad_pairs = _create_view(
        con, "pairs", columns.PAIR, columns.IS_PAIR, schema.PAIRS, source.pairs, is_passed_over=columns.IS_UNSENT
    )
    bad_ledgers = _create_view(con, "ledger", columns.LEDGER, columns.IS_LEDGER, LEDGER, source.ledgers)
    con.execute(_TRIALS)
    (pairs,) = con.execute("SELECT count(*) FROM pairs").fetchone() or (0,)
    torn = [torn_lines_of(file) for file in (*source.pairs, *source.ledgers)]
    of_lines = sum(torn_lines_of(file) for file in (*source.lines, *source.ledger_lines))
    bad = max(0, bad_pairs + bad_ledgers - of_lines)
    return Loaded(source.files, int(pairs), sum(torn), bad, len(source.without_bodies))


def load_bodies(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Create `bodies`: apart, because bodies are most of a log and most questions do not need them."""
    made = engine.scratch(con) / "bodies.parquet"
    files = list(source.bodies)
    if source.lines or not files:
        copy_bodies(con, source.lines, made)
        files.append(made)
    con.execute("SET VARIABLE body_files = ?", [engine.lasting_names(con, files)])
    con.execute(f"CREATE VIEW bodies AS SELECT {columns.BODY} FROM {_columns_of(con, 'body_files')}")


def _create_view(
    con: duckdb.DuckDBPyConnection,
    name: str,
    exprs: Mapping[str, str],
    is_valid: str,
    known: Mapping[str, str],
    files: Sequence[Path],
    *,
    is_passed_over: str = "false",
) -> int:
    """The view holds what is valid; returns how many lines are no record. `is_passed_over`: those that are one, and
    no row."""
    names = ", ".join(f'"{column}"' for column in exprs)
    of_columns, of_lines = _by_form(files)
    parts, bad = [], 0
    if of_columns:
        con.execute(f"SET VARIABLE {name}_files = ?", [engine.lasting_names(con, of_columns)])
        found = _columns_of(con, f"{name}_files")
        if set(exprs) - _names(con, f"{name}_files"):  # all are an older version's
            found = f"(SELECT * FROM {found} UNION ALL BY NAME SELECT {columns.ADDED} WHERE false)"
        parts.append(f"SELECT {names} FROM {found}")
    if of_lines or not of_columns:
        made = str(engine.scratch(con) / f"{name}.parquet")
        marks = f"{is_valid} AS is_valid, NOT {is_passed_over} AS is_row"
        copy = f"COPY (SELECT {marks}, {columns.selected(exprs)} FROM $LINES) TO $made {_SCRATCH}"
        bad += over_lines(con, copy, known, of_lines, {"made": made})
        con.execute(f"SET VARIABLE {name}_made = ?", [[made]])
        parts.append(f"SELECT {names} FROM {_columns_of(con, f'{name}_made')} WHERE is_valid")
        counted = con.execute(
            f"SELECT count(*) FROM {_columns_of(con, f'{name}_made')} WHERE NOT is_valid AND is_row"
        ).fetchone()
        bad += int(counted[0]) if counted else 0
    con.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(parts)}")
    return bad


def _columns_of(con: duckdb.DuckDBPyConnection, variable: str) -> str:
    """Segments of several versions are united by the names of their columns, which one thread does alone; segments with
    the same columns are read by all threads (1 M pairs: 3.5 s instead of 4.9)."""
    sets = con.execute(
        "SELECT count(DISTINCT names) FROM (SELECT string_agg(name, ',') AS names "
        f"FROM parquet_schema(getvariable('{variable}')) GROUP BY file_name)"
    ).fetchone()
    union = ", union_by_name = true" if sets is not None and sets[0] > 1 else ""
    return f"read_parquet(getvariable('{variable}'), hive_partitioning = false{union})"


def _names(con: duckdb.DuckDBPyConnection, variable: str) -> set[str]:
    """The columns that any of the files has."""
    found = con.execute(f"SELECT DISTINCT name FROM parquet_schema(getvariable('{variable}'))").fetchall()
    return {name for (name,) in found}


def _by_form(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """(columns, lines)."""
    return [file for file in files if is_columns(file)], [file for file in files if not is_columns(file)]
