"""DuckDB → what is drawn: shares over time, and which class became which.

Stands on `judged`, and where sums over time buckets suffice on `tallied` (`counting`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb

from shadowproxy.report.latencies import Medians
from shadowproxy.report.query import Cell, are_same, decisions
from shadowproxy.report.record import Confusion, Moment
from shadowproxy.report.words import moment

MOST_MOMENTS: Final = 60
MOST_CLASSES: Final = 12
_MOST_DISTINCT: Final = 1000  # texts of decisions: more than that are numbers or rankings, and no classes

# At most so many stretches of one length, each a multiple of the bucket and aligned to UTC as buckets are: so all but
# the medians is in the tally.
_STRETCH: Final = f"""
SELECT candidate, trial,
  greatest(ceil((max(last_us) - min(first_us) + 1) / ({MOST_MOMENTS} * $bucket_us)), 1)::BIGINT * $bucket_us AS us
FROM tallied GROUP BY ALL
"""
_TIMELINE: Final = f"""
WITH step AS ({_STRETCH})
SELECT candidate, trial, bucket * $bucket_us // us * us AS start, us / 1e6, sum(pairs)::BIGINT, sum(decided)::BIGINT,
  sum(only_candidate_bad + both_bad) / nullif(sum(exchanges), 0),
  sum(only_reference_bad + both_bad) / nullif(sum(exchanges), 0),
  sum(disagreeing) / nullif(sum(decided), 0), sum(noisy) / nullif(sum(triples), 0),
  sum(slower - faster) / nullif(sum(timed), 0)
FROM tallied JOIN step USING (candidate, trial) GROUP BY ALL ORDER BY candidate, trial, start
"""

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


def stretches(con: duckdb.DuckDBPyConnection, bucket_s: float) -> dict[Cell, int]:
    """How long a stretch of each trial's timeline is, in µs. `counting.count` has been there."""
    rows = con.execute(_STRETCH, {"bucket_us": round(bucket_s * 1e6)}).fetchall()
    return {(candidate, trial): us for candidate, trial, us in rows}


def timelines(
    con: duckdb.DuckDBPyConnection, bucket_s: float, medians: Mapping[Cell, Medians]
) -> dict[Cell, list[Moment]]:
    """`medians` of the same stretches; where there is no latency pair there is none."""
    found: dict[Cell, list[Moment]] = {}
    rows = con.execute(_TIMELINE, {"bucket_us": round(bucket_s * 1e6)}).fetchall()
    for candidate, trial, start, *values in rows:
        of_both = medians.get((candidate, trial), {}).get(start, (None, None))
        found.setdefault((candidate, trial), []).append(_moment(start, [*values, *of_both]))
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
