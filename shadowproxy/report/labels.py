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
from shadowproxy.report.query import Cell, are_same, decisions
from shadowproxy.report.record import Accuracy, Labels, Losses, Rate
from shadowproxy.report.words import plain
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
SELECT key, label FROM (SELECT CAST("key" AS VARCHAR) AS key, CAST({label} AS VARCHAR) AS label,
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
SELECT candidate, trial, pair_id, production_upstream AS name, production_prediction AS said, {on} AS joined_on, label,
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

_ITEMS: Final = """
CREATE TABLE labelled_items AS
SELECT candidate, trial, pair_id, {old} AS old_right, {new} AS new_right, TRY_CAST(i[1] AS DOUBLE) AS x,
  TRY_CAST(i[2] AS DOUBLE) AS y,
  CASE lower(i[3]) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0 ELSE TRY_CAST(i[3] AS DOUBLE) END AS t
FROM (
  SELECT candidate, trial, pair_id, unnest(list_zip(production, shadow, wanted)) AS i FROM joined
  WHERE label IS NOT NULL AND NOT is_ambiguous AND {scored})
"""
# Predictions that are right by degrees: some have a fraction.
_BY_DEGREES: Final = """
CREATE TABLE by_degrees AS
SELECT candidate, trial FROM labelled_items GROUP BY ALL HAVING bool_or(coalesce(x % 1 <> 0 OR y % 1 <> 0, false))
"""
_RIGHTS: Final = """
CREATE TABLE rights AS
SELECT pair_id, count(*) AS labelled, count(*) FILTER (old_right AND NOT new_right) AS good_to_bad,
  count(*) FILTER (new_right AND NOT old_right) AS bad_to_good,
  count(*) FILTER (new_right AND old_right) AS both_right
FROM labelled_items ANTI JOIN by_degrees USING (candidate, trial) GROUP BY pair_id
"""
_RIGHT: Final = """
SELECT candidate, trial, count(*), count(*) FILTER (old_right), count(*) FILTER (new_right),
  count(*) FILTER (old_right AND NOT new_right), count(*) FILTER (new_right AND NOT old_right)
FROM labelled_items ANTI JOIN by_degrees USING (candidate, trial) GROUP BY ALL
"""
# Brier 1950: mean (p − y)². Logarithmic loss (Good 1952): mean −ln of what the label was given, at least 10⁻¹⁵.
_LOSSES: Final = """
SELECT candidate, trial, bool_and(x BETWEEN 0 AND 1 AND y BETWEEN 0 AND 1 AND t IN (0, 1)), count(*),
  avg((x - t) ** 2), avg((y - t) ** 2),
  avg(-ln(greatest(1e-15, CASE WHEN t = 1 THEN x ELSE 1 - x END))),
  avg(-ln(greatest(1e-15, CASE WHEN t = 1 THEN y ELSE 1 - y END))),
  avg(abs(x - t)), avg(abs(y - t))
FROM labelled_items SEMI JOIN by_degrees USING (candidate, trial)
WHERE isfinite(x) AND isfinite(y) AND isfinite(t) GROUP BY ALL
"""
_LABELLED_SHARES: Final = """
SELECT candidate, trial, mode(name), said, count(*) FILTER (label IS NOT NULL AND NOT is_ambiguous) / count(*) AS share
FROM joined WHERE said IS NOT NULL GROUP BY candidate, trial, said HAVING count(*) >= {least} ORDER BY share DESC, said
"""
LEAST_SAID: Final = 50  # requests on which production said the same
MOST_BIAS: Final = 0.05


class LabelsError(Exception):
    """A file that holds no labels; the message is a whole sentence."""


@dataclass(frozen=True, slots=True)
class Labelled:
    labels: Labels
    accuracy: Accuracy | None  # None: nothing matched, or the predictions are numbers that are right by degrees
    losses: Losses | None  # for those


def join(con: duckdb.DuckDBPyConnection, file: Path, on: str) -> dict[Cell, Labelled]:
    """Also creates `rights`: of each pair's items how many only one side got right. Raises LabelsError.

    `on` is one of ON.
    """
    _read(con, file)
    con.execute(
        _JOINED.format(
            on=f'judged."{on}"',
            production=decisions("production_prediction"),
            shadow=decisions("shadow_prediction"),
            label=_WANTED,
        )
    )
    con.execute(_ITEMS.format(scored=_SCORED, old=are_same("i[1]", "i[3]"), new=are_same("i[2]", "i[3]")))
    con.execute(_BY_DEGREES)
    con.execute(_RIGHTS)
    accuracies = {(row[0], row[1]): _accuracy(*row[2:]) for row in con.execute(_RIGHT).fetchall()}
    losses = {(row[0], row[1]): _losses(*row[2:]) for row in con.execute(_LOSSES).fetchall()}
    biases = _biases(con)
    return {
        (row[0], row[1]): Labelled(
            Labels(**dict(zip(_LABELS, row[2:], strict=True)), bias=biases.get((row[0], row[1]))),
            accuracies.get((row[0], row[1])),
            losses.get((row[0], row[1])),
        )
        for row in con.execute(_MATCHED.format(scored=_SCORED)).fetchall()
    }


_LABELS: Final = ("matched", "unmatched", "ambiguous", "unused", "undecided")


def _accuracy(n: int, production: int, shadow: int, good_to_bad: int, bad_to_good: int) -> Accuracy:
    return Accuracy(
        production=_counted(production, n),
        shadow=_counted(shadow, n),
        good_to_bad=good_to_bad,
        bad_to_good=bad_to_good,
        mcnemar_p=mcnemar.exact_p(good_to_bad, bad_to_good),
        mcnemar_method=mcnemar.METHOD,
        accuracy_drop=_counted(good_to_bad - bad_to_good, n),
    )


def _counted(count: int, n: int) -> Rate:
    return Rate(estimate=count / n if n else None, n=n)


def _losses(is_score: bool, n: int, *means: float) -> Losses:
    brier, log_loss, absolute = means[0:2], means[2:4], means[4:6]
    named = {"brier": brier, "log_loss": log_loss} if is_score else {"absolute_error": absolute}
    return Losses(
        kind="score" if is_score else "number",
        n=n,
        production={name: of_both[0] for name, of_both in named.items()},
        shadow={name: of_both[1] for name, of_both in named.items()},
    )


def _biases(con: duckdb.DuckDBPyConnection) -> dict[Cell, str]:
    """Where labels exist more for one of production's predictions than for another, they favour production."""
    shares: dict[Cell, list[tuple[str, str, float]]] = {}
    for candidate, trial, name, said, share in con.execute(_LABELLED_SHARES.format(least=LEAST_SAID)).fetchall():
        shares.setdefault((candidate, trial), []).append((name, said, share))
    return {
        cell: f"labels exist mostly where {plain(rows[0][0])} said '{plain(_text(rows[0][1]), 40)}': "
        f"this comparison favours {plain(rows[0][0])}"
        for cell, rows in shares.items()
        if rows[0][2] - rows[-1][2] > MOST_BIAS
    }


def _text(decision: str) -> str:
    """A decision's JSON as one reads it: a string without its quotes."""
    return decision[1:-1] if len(decision) > 1 and decision[0] == decision[-1] == '"' else decision


def _read(con: duckdb.DuckDBPyConnection, file: Path) -> None:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise LabelsError(f"--labels {file}: expected a .csv, .jsonl or .parquet file")
    try:
        with literally([file]) as (name,):
            con.execute(f"CREATE TEMP TABLE given AS SELECT * FROM {reader}", {"file": name})
    except duckdb.Error as e:
        raise LabelsError(f"--labels {file}: could not be read: {str(e).splitlines()[0]}") from e
    columns = {row[0].lower(): row[1] for row in con.execute("DESCRIBE given").fetchall()}
    if not {"key", "label"} <= columns.keys():
        raise LabelsError(
            f"--labels {file}: expected the columns key, label and optionally ts, found {', '.join(columns)}"
        )
    con.execute(
        _LAST_WINS.format(
            ts="CAST(ts AS VARCHAR)" if "ts" in columns else "NULL::VARCHAR",
            label="to_json(label)" if columns["label"].endswith("[]") else "label",  # a batch's, as Parquet has lists
        )
    )
    if con.execute("SELECT count(*) FROM labels").fetchone() == (0,):
        raise LabelsError(f"--labels {file}: expected at least one line with a key and a label")
