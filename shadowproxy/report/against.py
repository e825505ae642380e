"""Candidates against each other, on the requests that both received: one request has one id and one arrival."""

from __future__ import annotations

from typing import Final

import duckdb
import numpy as np

from shadowproxy.report.counting import MIN_SLOWER_MS, SLOWER_BY
from shadowproxy.report.query import Cell
from shadowproxy.stats.evidence import Evidence

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
_VERSUS: Final = """
SELECT a.candidate, a.trial, b.candidate, b.trial, a.bucket, {columns}
FROM judged a JOIN judged b ON a.id = b.id AND a.ts = b.ts AND a.candidate < b.candidate
GROUP BY ALL ORDER BY 1, 2, 3, 4, 5
"""
_MIRRORED: Final = {
    "only_first_bad": "only_second_bad",
    "only_first_disagrees": "only_second_disagrees",
    "first_slower": "second_slower",
}


def versus(con: duckdb.DuckDBPyConnection) -> dict[Cell, dict[str, Evidence]]:
    """By candidate and trial, then by the other candidate's name. Of several trials of another, the last is told."""
    if (con.execute("SELECT count(DISTINCT candidate) FROM chosen").fetchone() or (0,))[0] < 2:
        return {}
    columns = ", ".join(f"(count(*) FILTER ({sql}))::DOUBLE" for sql in _COLUMNS.values())
    rows: dict[tuple[str, str, str, str], list[tuple[float, ...]]] = {}
    for one, its_trial, other, others_trial, *counts in con.execute(_VERSUS.format(columns=columns)).fetchall():
        rows.setdefault((one, its_trial, other, others_trial), []).append(tuple(counts))
    found: dict[Cell, dict[str, Evidence]] = {}
    for (one, its_trial, other, others_trial), counted in rows.items():
        table = np.asarray(counted, dtype=np.float64).T
        evidence = Evidence(table[0].astype(np.int64), dict(zip(_COLUMNS, table[1:], strict=True)))
        found.setdefault((one, its_trial), {})[other] = evidence
        found.setdefault((other, others_trial), {})[one] = _mirrored(evidence)
    return found


def _mirrored(evidence: Evidence) -> Evidence:
    names = {**_MIRRORED, **{second: first for first, second in _MIRRORED.items()}}
    return Evidence(evidence.buckets, {names.get(name, name): values for name, values in evidence.columns.items()})
