"""DuckDB → what is drawn: latency at a hundred levels, shares over time, and which class became which.

Stands on `judged` (`query.prepare`). Each is one pass over the columns that it needs, in the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb

from shadowproxy.report.query import Cell, are_same, decisions
from shadowproxy.report.record import Confusion, Moment
from shadowproxy.report.words import moment

Curves = dict[str, list[tuple[float, float | None]]]  # by role: (share, ms), null where copies timed out

LEVELS: Final = tuple(percent / 100 for percent in range(1, 100))
FEWEST_TIMED: Final = 20
MOST_MOMENTS: Final = 60
MOST_CLASSES: Final = 12
_MOST_DISTINCT: Final = 1000  # texts of decisions: more than that are numbers or rankings, and no classes

_LATENCY: Final = f"""
SELECT candidate, trial,
  quantile_disc(production_latency_ms, {list(LEVELS)})
    FILTER (production_outcome = 'complete' AND NOT coalesce(production_bad, false)),
  quantile_disc(candidate_ms, {list(LEVELS)}),
  quantile_disc(twin_latency_ms, {list(LEVELS)}) FILTER (twin_outcome = 'complete' AND NOT coalesce(twin_bad, false)),
  quantile_disc(candidate_ms - reference_ms, {list(LEVELS)})
FROM judged WHERE is_timed GROUP BY ALL HAVING count(*) >= {FEWEST_TIMED}
"""
_ROLES: Final = ("production", "shadow", "twin", "difference")

# At most so many stretches of one length, each a multiple of the bucket and aligned to UTC as buckets are.
_TIMELINE: Final = f"""
WITH step AS (
  SELECT candidate, trial,
    greatest(ceil((max(epoch_us(ts)) - min(epoch_us(ts)) + 1) / ({MOST_MOMENTS} * $bucket_us)), 1)::BIGINT * $bucket_us
      AS us
  FROM judged GROUP BY ALL),
moment AS (
  SELECT judged.*, us, epoch_us(ts) // us * us AS start FROM judged JOIN step USING (candidate, trial))
SELECT candidate, trial, start, us / 1e6, count(*), count(*) FILTER (is_decided),
  avg(candidate_bad::INTEGER) FILTER (is_exchange), avg(reference_bad::INTEGER) FILTER (is_exchange),
  avg((NOT agrees)::INTEGER) FILTER (is_decided), avg((NOT noise_agrees)::INTEGER) FILTER (is_triple),
  avg(slower::INTEGER - faster::INTEGER) FILTER (is_timed),
  quantile_disc(candidate_ms, 0.5) FILTER (is_timed), quantile_disc(reference_ms, 0.5) FILTER (is_timed)
FROM (SELECT *, {{slower}} AS slower, {{faster}} AS faster FROM moment)
GROUP BY ALL ORDER BY candidate, trial, start
"""
_BY: Final = "{a} > 1.25 * {b} AND {a} - {b} > 1"

# Texts of decisions are read once for all pairs that share them. Numbers with a fraction are no classes.
_CONFUSION: Final = """
WITH few AS (
  SELECT candidate, trial FROM judged WHERE is_decided GROUP BY ALL
  HAVING approx_count_distinct(production_prediction) <= {most} AND approx_count_distinct(shadow_prediction) <= {most}),
text AS (
  SELECT candidate, trial, production_prediction, shadow_prediction, items, count(*) AS pairs
  FROM judged SEMI JOIN few USING (candidate, trial)
  WHERE is_decided AND production_prediction IS NOT NULL AND shadow_prediction IS NOT NULL GROUP BY ALL),
decided AS (SELECT candidate, trial, pairs, {old} AS old, {new} AS new FROM text),
item AS (SELECT candidate, trial, pairs, unnest(list_zip(old, new)) AS i FROM decided WHERE len(old) = len(new))
SELECT candidate, trial, i[1], CASE WHEN {same} THEN i[1] ELSE i[2] END AS new, sum(pairs)::BIGINT AS n FROM item
WHERE coalesce(TRY_CAST(i[1] AS DOUBLE) % 1, 0) = 0 AND coalesce(TRY_CAST(i[2] AS DOUBLE) % 1, 0) = 0
GROUP BY ALL ORDER BY n DESC, 3, 4
"""


def latencies(con: duckdb.DuckDBPyConnection) -> dict[Cell, Curves]:
    return {
        (candidate, trial): {
            role: [(level, _finite(value)) for level, value in zip(LEVELS, values, strict=True)]
            for role, values in zip(_ROLES, found, strict=True)
            if values
        }
        for candidate, trial, *found in con.execute(_LATENCY).fetchall()
    }


def timelines(con: duckdb.DuckDBPyConnection, bucket_s: float) -> dict[Cell, list[Moment]]:
    sql = _TIMELINE.format(
        slower=_BY.format(a="candidate_ms", b="reference_ms"), faster=_BY.format(a="reference_ms", b="candidate_ms")
    )
    found: dict[Cell, list[Moment]] = {}
    for candidate, trial, start, *values in con.execute(sql, {"bucket_us": round(bucket_s * 1e6)}).fetchall():
        found.setdefault((candidate, trial), []).append(_moment(start, values))
    return found


def _moment(start_us: int, values: Sequence[Any]) -> Moment:
    facts = dict(zip(Moment.__struct_fields__[1:], values, strict=True))
    return Moment(from_=moment(start_us) or "", **{**facts, "candidate_p50_ms": _finite(facts["candidate_p50_ms"])})


def _finite(ms: float | None) -> float | None:
    return None if ms is None or ms == float("inf") else ms


def confusions(con: duckdb.DuckDBPyConnection) -> dict[Cell, Confusion]:
    sql = _CONFUSION.format(
        most=_MOST_DISTINCT,
        old=decisions("production_prediction"),
        new=decisions("shadow_prediction"),
        same=are_same("i[1]", "i[2]"),
    )
    flows: dict[Cell, list[tuple[str, str, int]]] = {}
    for candidate, trial, old, new, n in con.execute(sql).fetchall():
        flows.setdefault((candidate, trial), []).append((str(old), str(new), int(n)))
    tables = {cell: confusion(rows) for cell, rows in flows.items()}
    return {cell: table for cell, table in tables.items() if table is not None}


def confusion(flows: Sequence[tuple[str, str, int]]) -> Confusion | None:
    """The table of (old, new, items) over the commonest classes; None where there is one class only."""
    olds, news = Counter[str](), Counter[str]()
    for old, new, n in flows:
        olds[old] += n
        news[new] += n
    totals = olds + news
    if len(totals) < 2:
        return None
    labels = sorted(sorted(totals, key=lambda name: (-totals[name], name))[:MOST_CLASSES], key=_in_order)
    place = {name: number for number, name in enumerate(labels)}
    counts = [[0] * len(labels) for _ in labels]
    for old, new, n in flows:
        if old in place and new in place:
            counts[place[old]][place[new]] += n
    items = olds.total()
    agreement = sum(n for old, new, n in flows if old == new) / items
    return Confusion(
        labels=labels, counts=counts, items=items, agreement=agreement, kappa=_kappa(olds, news, agreement)
    )


def _in_order(name: str) -> tuple[int, float, str]:
    """Numbers by their value, before words."""
    return (0, float(name), name) if name.lstrip("-").isdecimal() else (1, 0.0, name)


def _kappa(olds: Mapping[str, int], news: Mapping[str, int], agreement: float) -> float | None:
    """Cohen 1960: (p_o − p_e)/(1 − p_e), over all classes; None where chance alone would always agree."""
    items = sum(olds.values())
    by_chance = sum(n * news.get(name, 0) for name, n in olds.items()) / (items * items)
    return None if by_chance >= 1 else (agreement - by_chance) / (1 - by_chance)
