"""Labels joined to the log: which side was right.

A label belongs to a pair by its key (or request id). Where several pairs of a candidate share one, nobody can say which
of them the label means: those are *ambiguous* and left out. Predictions and labels are compared as text, as numbers
(`4` = `4.0`), and `True` = `true`; a batch against a JSON list of labels, item by item.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from shadowproxy.pairlog.database import literally
from shadowproxy.report.figures import rate
from shadowproxy.report.query import Cell, are_same, decisions
from shadowproxy.report.record import Accuracy, Labels
from shadowproxy.stats import mcnemar

ON: Final = ("key", "id")
_READERS: Final = {
    ".csv": "read_csv($file, header = true, all_varchar = true, hive_partitioning = false)",
    ".jsonl": (
        "read_json($file, format = 'newline_delimited', hive_partitioning = false, "
        "columns = {key: 'VARCHAR', label: 'VARCHAR', ts: 'VARCHAR'})"
    ),
    ".parquet": "read_parquet($file, hive_partitioning = false)",
}

_LAST_WINS: Final = """
CREATE TABLE labels AS
SELECT key, label FROM (SELECT CAST("key" AS VARCHAR) AS key, CAST(label AS VARCHAR) AS label,
  {ts} AS ts, row_number() OVER () AS line FROM given)
WHERE key IS NOT NULL AND label IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY key
  ORDER BY TRY_CAST(ts AS TIMESTAMPTZ) DESC NULLS LAST, TRY_CAST(ts AS DOUBLE) DESC NULLS LAST, line DESC) = 1
"""

# A label is text; a JSON list holds one label for each item of a batch.
_WANTED: Final = (
    "CASE WHEN starts_with(label, '[') AND json_valid(label) THEN json_extract_string(label, '$[*]') ELSE [label] END"
)

_JOINED: Final = """
CREATE TABLE joined AS
SELECT candidate, trial, {on} AS joined_on, label,
  count(*) OVER (PARTITION BY candidate, trial, {on}) > 1 AND {on} IS NOT NULL AS is_ambiguous,
  is_decided AND production_prediction IS NOT NULL AND shadow_prediction IS NOT NULL AS has_decided,
  {production} AS production, {shadow} AS shadow, {label} AS wanted
FROM judged LEFT JOIN labels ON labels.key = {on}
"""

_MATCHED: Final = """
SELECT candidate, trial, count(*) FILTER (label IS NOT NULL AND NOT is_ambiguous), count(*) FILTER (label IS NULL),
  count(*) FILTER (label IS NOT NULL AND is_ambiguous),
  (SELECT count(*) FROM labels) - count(DISTINCT joined_on) FILTER (label IS NOT NULL),
  count(*) FILTER (label IS NOT NULL AND NOT is_ambiguous AND NOT {scored})
FROM joined GROUP BY ALL
"""
_SCORED: Final = "(has_decided AND len(production) = len(shadow) AND len(shadow) = len(wanted))"

_RIGHT: Final = """
WITH item AS (
  SELECT candidate, trial, unnest(list_zip(production, shadow, wanted)) AS i FROM joined
  WHERE label IS NOT NULL AND NOT is_ambiguous AND {scored}),
scored AS (
  SELECT candidate, trial, {old} AS old_right, {new} AS new_right,
    coalesce(TRY_CAST(i[1] AS DOUBLE) % 1 <> 0 OR TRY_CAST(i[2] AS DOUBLE) % 1 <> 0, false) AS is_fraction FROM item)
SELECT candidate, trial, count(*), count(*) FILTER (old_right), count(*) FILTER (new_right),
  count(*) FILTER (old_right AND NOT new_right), count(*) FILTER (new_right AND NOT old_right), bool_or(is_fraction)
FROM scored GROUP BY ALL
"""


class LabelsError(Exception):
    """A file that holds no labels; the message is a whole sentence."""


@dataclass(frozen=True, slots=True)
class Labelled:
    labels: Labels
    accuracy: Accuracy | None  # None: nothing matched, or the predictions are numbers that are right by degrees


def join(con: duckdb.DuckDBPyConnection, file: Path, on: str) -> dict[Cell, Labelled]:
    """Raises LabelsError. `on` is one of ON."""
    _read(con, file)
    con.execute(
        _JOINED.format(
            on=f'judged."{on}"',
            production=decisions("production_prediction"),
            shadow=decisions("shadow_prediction"),
            label=_WANTED,
        )
    )
    accuracies = {(row[0], row[1]): _accuracy(*row[2:]) for row in con.execute(_right()).fetchall()}
    return {
        (row[0], row[1]): Labelled(Labels(**dict(zip(_LABELS, row[2:], strict=True))), accuracies.get((row[0], row[1])))
        for row in con.execute(_MATCHED.format(scored=_SCORED)).fetchall()
    }


_LABELS: Final = ("matched", "unmatched", "ambiguous", "unused", "undecided")


def _right() -> str:
    return _RIGHT.format(
        scored=_SCORED,
        old=are_same("i[1]", "i[3]"),
        new=are_same("i[2]", "i[3]"),
    )


def _accuracy(
    n: int, production: int, shadow: int, good_to_bad: int, bad_to_good: int, has_fractions: bool
) -> Accuracy | None:
    if has_fractions:
        return None
    return Accuracy(
        production=rate(production, n),
        shadow=rate(shadow, n),
        good_to_bad=good_to_bad,
        bad_to_good=bad_to_good,
        mcnemar_p=mcnemar.exact_p(good_to_bad, bad_to_good),
        mcnemar_method=mcnemar.METHOD,
        accuracy_drop=rate(good_to_bad - bad_to_good, n),
    )


def _read(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise LabelsError(f"--labels {file}: expected a .csv, .jsonl or .parquet file")
    try:
        with literally([file]) as (name,):
            con.execute(f"CREATE TEMP TABLE given AS SELECT * FROM {reader}", {"file": name})
    except duckdb.Error as e:
        raise LabelsError(f"--labels {file}: could not be read: {str(e).splitlines()[0]}") from e
    columns = [row[0].lower() for row in con.execute("DESCRIBE given").fetchall()]
    if not {"key", "label"} <= set(columns):
        raise LabelsError(
            f"--labels {file}: expected the columns key, label and optionally ts, found {', '.join(columns)}"
        )
    con.execute(_LAST_WINS.format(ts="CAST(ts AS VARCHAR)" if "ts" in columns else "NULL::VARCHAR"))
    if con.execute("SELECT count(*) FROM labels").fetchone() == (0,):
        raise LabelsError(f"--labels {file}: expected at least one line with a key and a label")
