"""Candidates against each other, on the requests that both received: one request has one id and one arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final

import duckdb
import numpy as np

from shadowproxy.report.counting import MIN_SLOWER_MS, SLOWER_BY, Counted
from shadowproxy.report.query import Cell
from shadowproxy.report.windows import windows
from shadowproxy.stats.evidence import Evidence, merged

_BY: Final = f"{{a}}.candidate_ms > {1 + SLOWER_BY!r} * {{b}}.candidate_ms AND " + (
    f"{{a}}.candidate_ms - {{b}}.candidate_ms > {MIN_SLOWER_MS!r}"
)
_COLUMNS: Final = {
    "requests": "true",
    "exchanges": "a.is_exchange AND b.is_exchange",
    "only_first_bad": "a.is_exchange AND b.is_exchange AND a.candidate_bad AND NOT b.candidate_bad",
    "only_second_bad": "a.is_exchange AND b.is_exchange AND b.candidate_bad AND NOT a.candidate_bad",
    "decided": "a.is_decided AND b.is_decided",
    "only_first_disagrees": "a.is_decided AND b.is_decided AND NOT a.agrees AND b.agrees",
    "only_second_disagrees": "a.is_decided AND b.is_decided AND NOT b.agrees AND a.agrees",
    "timed": "a.is_timed AND b.is_timed",
    "first_slower": f"a.is_timed AND b.is_timed AND {_BY.format(a='a', b='b')}",
    "second_slower": f"a.is_timed AND b.is_timed AND {_BY.format(a='b', b='a')}",
}
# What a candidate's side is asked for is chosen before the two meet: a join of all with all keeps twice as many pairs.
_VERSUS: Final = """
SELECT a.trial, b.trial, a.bucket, {columns}
FROM (SELECT * FROM judged WHERE candidate = $one) a JOIN (SELECT * FROM judged WHERE candidate = $other) b
  ON a.id = b.id AND a.ts = b.ts
WHERE {within} GROUP BY ALL ORDER BY ALL
"""
# Most of the work is to lay out what a meeting is counted by. Candidates that are sampled apart never meet.
_MEET: Final = """
SELECT count(*) FROM pairs a SEMI JOIN (SELECT ts FROM pairs b WHERE candidate = $other AND {b}) b USING (ts)
WHERE a.candidate = $one AND {a}
"""
_MIRRORED: Final = {
    "only_first_bad": "only_second_bad",
    "only_first_disagrees": "only_second_disagrees",
    "first_slower": "second_slower",
}


def versus(
    con: duckdb.DuckDBPyConnection, counted: Mapping[Cell, Counted], bucket_s: float
) -> dict[Cell, dict[str, Evidence]]:
    """By candidate and trial, then by the other candidate's name. Of several trials of another, the last is told."""
    found: dict[Cell, dict[str, Evidence]] = {}
    wholes: dict[str, list[Evidence]] = {}
    for (candidate, _), counts in sorted(counted.items()):
        wholes.setdefault(candidate, []).append(counts.whole)
    for one, other in combinations(wholes, 2):
        pairs = merged([*wholes[one], *wholes[other]])
        cuts = windows(pairs.buckets, pairs.column("pairs"), round(bucket_s * 1e6))
        for (its_trial, others_trial), evidence in sorted(_met(con, one, other, cuts).items()):
            found.setdefault((one, its_trial), {})[other] = evidence
            found.setdefault((other, others_trial), {})[one] = _mirrored(evidence)
    return found


def _met(con: duckdb.DuckDBPyConnection, one: str, other: str, cuts: Iterable[str]) -> dict[tuple[str, str], Evidence]:
    """By the trials of the two, in the windows of `cuts`: a request has one arrival, so the two meet within one."""
    columns = ", ".join(f"(count(*) FILTER ({sql}))::DOUBLE" for sql in _COLUMNS.values())
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for within in cuts:
        sides = {"one": one, "other": other}
        a, b = (within.format(ts=f"{side}.ts") for side in "ab")
        if con.execute(_MEET.format(a=a, b=b), sides).fetchone() == (0,):
            continue
        sql = _VERSUS.format(columns=columns, within=f"{a} AND {b}")
        for its_trial, others_trial, *counts in con.execute(sql, sides).fetchall():
            rows.setdefault((its_trial, others_trial), []).append(tuple(counts))
    tables = {trials: np.asarray(counted, dtype=np.float64).T for trials, counted in rows.items()}
    return {
        trials: Evidence(table[0].astype(np.int64), dict(zip(_COLUMNS, table[1:], strict=True)))
        for trials, table in tables.items()
    }


def _mirrored(evidence: Evidence) -> Evidence:
    names = {**_MIRRORED, **{second: first for first, second in _MIRRORED.items()}}
    return Evidence(evidence.buckets, {names.get(name, name): values for name, values in evidence.columns.items()})
