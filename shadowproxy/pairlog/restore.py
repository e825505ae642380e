"""Columns → lines: the records that a segment was made of, as a reader of lines gives them.

What a line said comes back, but for two things: with `bodies: different`, a pair without bodies gets those that another
candidate's pair of the same request keeps; and where the segment's bodies are gone, headers are empty and bodies null
(`not_stored`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from shadowproxy.pairlog.columns import ADDED, ROLES
from shadowproxy.pairlog.database import LINES, literally
from shadowproxy.pairlog.names import bodies_of

_BATCH: Final = 256
# What joins a pair to its request's bodies; NULL where a part is.
_FRAME: Final = "coalesce(worker || ',' || boot || ',' || seq, pair_id)"

_NONE: Final = """
SELECT NULL::VARCHAR AS frame, NULL::VARCHAR AS pair_id, NULL::VARCHAR AS role, NULL::VARCHAR[][] AS headers,
  NULL::VARCHAR AS body, NULL::VARCHAR AS body_encoding, NULL::BOOLEAN AS body_truncated WHERE false
"""

_STORED: Final = f"""
SELECT *, {_FRAME} AS frame FROM read_parquet($bodies, hive_partitioning = false)
WHERE {_FRAME} IN (SELECT frame FROM wanted)
"""
_WANTED: Final = f"""
SELECT *, {_FRAME} AS frame FROM (
  SELECT * FROM read_parquet($pairs, hive_partitioning = false)
  UNION ALL BY NAME SELECT {ADDED} WHERE false) WHERE {{where}}
"""

_BODY: Final = """headers := coalesce({b}.headers, []), body := {b}.body,
    body_encoding := coalesce({b}.body_encoding, 'not_stored'), body_bytes := {bytes},
    body_truncated := coalesce({b}.body_truncated, false)"""
_EXCHANGE: Final = """struct_pack(upstream := {role}_upstream, version := {role}_version,
    fingerprint := {role}_fingerprint, outcome := {role}_outcome,
    dropped := {role}_dropped, error := {role}_error, bad := {role}_bad, status := {role}_status, {body},
    timing_ms := {role}_timing_ms, stream := {role}_stream)"""


def _exchange(role: str) -> str:
    return _EXCHANGE.format(role=role, body=_BODY.format(b=f"of_{role}", bytes=f"p.{role}_body_bytes"))


# The same columns as `schema.PAIRS`, in its order.
_LINES: Final = f"""
SELECT 1 AS v, 'pair' AS kind, p.pair_id, p.id, p."key", p.ts,
  CASE WHEN p.seq IS NOT NULL THEN [p.worker, p.boot, p.seq] END AS src,
  p.trial, p.origin, p.route, p.protocol, p.candidate, p.answered_by, p.warmup, p.slices,
  struct_pack(method := p."method", target := p.target,
    {_BODY.format(b="of_request", bytes="p.request_body_bytes")}) AS request,
  {_exchange("production")} AS production,
  {_exchange("shadow")} AS shadow,
  CASE WHEN coalesce(twin_upstream, twin_outcome, twin_dropped) IS NOT NULL THEN {_exchange("twin")} END AS twin,
  struct_pack(result := p.result, reason := p.reason, agrees := p.agrees, items := p.items,
    items_disagreeing := p.items_disagreeing, differences := p.differences, differences_total := p.differences_total,
    metrics := p.metrics, production_prediction := p.production_prediction, shadow_prediction := p.shadow_prediction,
    latency_ms_difference := p.latency_ms_difference, censored := p.censored, rules := p.rules) AS comparison,
  p.noise
FROM wanted AS p
LEFT JOIN stored AS of_shadow ON of_shadow.role = 'shadow' AND of_shadow.pair_id = p.pair_id
""" + "\n".join(
    f"LEFT JOIN stored AS of_{role} ON of_{role}.role = '{role}' AND of_{role}.frame = p.frame"
    for role in ("request", *(role for role in ROLES if role != "shadow"))
)


def lines(
    con: duckdb.DuckDBPyConnection,
    statement: str,
    file: Path,
    where: str = "true",
    parameters: Mapping[str, object] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Execute `statement` with `$LINES` for the lines of one segment, typed as `schema.PAIRS`.

    `statement` and `where` are ours, never the user's; `where` speaks of PAIR's columns.
    """
    bodies = bodies_of(file)
    with literally([file, bodies]) as (name, bodies_name):
        given: dict[str, object] = {"pairs": name, **(parameters or {})}
        stored = _NONE
        if bodies.exists():
            given["bodies"] = bodies_name
            stored = _STORED
        wanted = _WANTED.replace("{where}", where)
        relation = f"(WITH wanted AS ({wanted}), stored AS ({stored}) {_LINES})"
        return con.execute(statement.replace(LINES, relation), given)


def records(
    con: duckdb.DuckDBPyConnection, file: Path, where: str = "true", parameters: Mapping[str, object] | None = None
) -> Iterator[dict[str, Any]]:
    """The records of one segment in its order; `where` as in `lines`."""
    yield from _documents(lines(con, f"SELECT {_DOCUMENT} FROM $LINES AS line", file, where, parameters))


def totals(con: duckdb.DuckDBPyConnection, file: Path) -> Iterator[dict[str, Any]]:
    """The ledger's lines of one segment in their order."""
    with literally([file]) as (name,):
        columns = "read_parquet($file, hive_partitioning = false)"
        yield from _documents(con.execute(f"SELECT {_DOCUMENT} FROM {columns} AS line", {"file": name}))


_TIME: Final = "strftime(ts, '%Y-%m-%dT%H:%M:%S.%fZ')"
_DOCUMENT: Final = f"CAST(to_json(struct_update(line, ts := {_TIME})) AS VARCHAR)"


def _documents(rows: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    while batch := rows.fetchmany(_BATCH):
        for (document,) in batch:
            yield orjson.loads(document)
