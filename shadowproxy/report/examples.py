"""Pairs to look at: a few of each way in which the candidate departs, each standing for those that are alike.

Bodies are read for the chosen pairs only, and cut: an example is there to be understood, `show` prints it whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb

from shadowproxy.pairlog.schema import PAIRS
from shadowproxy.report import engine
from shadowproxy.report.example import Difference, Example, Side
from shadowproxy.report.query import Cell
from shadowproxy.report.source import Source
from shadowproxy.report.words import moment

FAILS, DECIDES, DIFFERS = "fails", "decides differently", "differs"
MOST_ALIKE: Final = 3  # examples of one kind
MOST_SIGNS: Final = 16_000  # of each body
MOST_DIFFERENCES: Final = 40

# The commonest departures of each kind; of pairs alike, the first.
_CHOSEN: Final = f"""
WITH departing AS (
  SELECT candidate, trial, pair_id, ts, CASE
      WHEN is_exchange AND candidate_bad AND NOT reference_bad THEN '{FAILS}'
      WHEN is_decided AND NOT agrees THEN '{DECIDES}'
      WHEN is_comparable AND result = 'different' THEN '{DIFFERS}' END AS kind,
    CASE kind
      WHEN '{FAILS}' THEN
        CASE WHEN shadow_outcome <> 'complete' THEN shadow_outcome ELSE 'HTTP ' || shadow_status END
      WHEN '{DECIDES}' THEN
        coalesce(left(production_prediction, 60) || ' → ' || left(shadow_prediction, 60), differing_paths[1])
      ELSE differing_paths[1] END AS what
  FROM judged),
alike AS (
  SELECT candidate, trial, kind, coalesce(what, '') AS what, count(*) AS n, arg_min(pair_id, ts) AS pair_id
  FROM departing WHERE kind IS NOT NULL GROUP BY ALL)
SELECT candidate, trial, kind, what, n, pair_id FROM alike
QUALIFY row_number() OVER (PARTITION BY candidate, trial, kind ORDER BY n DESC, what) <= {MOST_ALIKE}
ORDER BY candidate, trial, CASE kind WHEN '{FAILS}' THEN 0 WHEN '{DECIDES}' THEN 1 ELSE 2 END, n DESC, what
"""


def examples(con: duckdb.DuckDBPyConnection, source: Source) -> Mapping[Cell, list[Example]]:
    chosen = con.execute(_CHOSEN).fetchall()
    lines = _lines(con, source, [row[-1] for row in chosen])
    found: dict[Cell, list[Example]] = {}
    for candidate, trial, kind, what, count, pair_id in chosen:
        if pair_id in lines:
            found.setdefault((candidate, trial), []).append(_example(kind, what, count, lines[pair_id]))
    return found


def _lines(con: duckdb.DuckDBPyConnection, source: Source, pair_ids: list[str]) -> dict[str, dict[str, Any]]:
    con.execute("SET VARIABLE wanted_pairs = ?", [pair_ids])
    engine.load(
        con,
        "example_lines",
        f"pair_id, id, epoch_us(ts) AS ts_us, coalesce(route, '') AS route, request.method AS method, "
        f"request.target AS target, left(request.body, {MOST_SIGNS}) AS request, "
        "request.body_encoding AS request_encoding, coalesce(request.body_truncated, false) "
        f"OR length(request.body) > {MOST_SIGNS} AS request_cut, {_packed('production')}, {_packed('shadow')}, "
        f"comparison.differences[1:{MOST_DIFFERENCES}] AS differences",
        PAIRS,
        source.pairs,
        where="list_contains(getvariable('wanted_pairs')::VARCHAR[], pair_id)",
    )
    rows = con.execute("SELECT * FROM example_lines")
    names = [column[0] for column in rows.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}


_NAMES: Final = ("upstream", "outcome", "status", "bad", "error", "body_encoding", "body_bytes")


def _packed(role: str) -> str:
    """An exchange as a struct of what `Side` holds."""
    same = ", ".join(f"{name} := {role}.{name}" for name in _NAMES)
    return (
        f"struct_pack({same}, body := left({role}.body, {MOST_SIGNS}), "
        f"cut := coalesce({role}.body_truncated, false) OR coalesce(length({role}.body) > {MOST_SIGNS}, false), "
        f"latency_ms := greatest({role}.timing_ms.total - {role}.timing_ms.sent "
        f"- coalesce({role}.timing_ms.stalled, 0), 0.0)) AS {role}"
    )


def _example(kind: str, what: str, count: int, line: Mapping[str, Any]) -> Example:
    return Example(
        pair_id=line["pair_id"],
        id=line["id"] or "",
        ts=moment(line["ts_us"]) or "",
        route=line["route"],
        kind=kind,
        what=what,
        count=count,
        method=line["method"] or "",
        target=line["target"] or "",
        request=line["request"],
        request_encoding=line["request_encoding"],
        request_cut=bool(line["request_cut"]),
        production=_side(line["production"]),
        shadow=_side(line["shadow"]),
        differences=[
            Difference(
                path=difference["path"] or "",
                kind=difference["kind"] or "",
                production=difference["production"] or "null",
                shadow=difference["shadow"] or "null",
            )
            for difference in line["differences"] or ()
        ],
    )


def _side(exchange: Mapping[str, Any]) -> Side:
    return Side(**{**exchange, "upstream": exchange["upstream"] or ""})
