"""The views `pairs`, `bodies`, `ledger` and `trials`: the columns that the log has as Parquet, derived from its lines.

Figures and `sql` read the same views, so what a report says can be asked again by hand. Beyond the contract's columns
stand those that only a line's detail can give: why a copy was dropped, the kinds of the differences, the rules' digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from shadowproxy.pairlog.schema import LEDGER
from shadowproxy.report import engine, schema
from shadowproxy.report.source import Source, is_torn

_ROLES: Final = ("production", "shadow", "twin")

# Latency is the time that the upstream took: from the last request byte to the last answer byte, less the time in which
# a slow client kept the proxy from reading.
_EXCHANGE: Final = {
    "upstream": "{role}.upstream",
    "version": "{role}.version",
    "outcome": "{role}.outcome",
    "status": "{role}.status",
    "bad": "{role}.bad",
    "latency_ms": (
        "greatest({role}.timing_ms.total - {role}.timing_ms.sent - coalesce({role}.timing_ms.stalled, 0), 0.0)"
    ),
    "first_token_ms": "greatest({role}.stream.first_token_ms - {role}.timing_ms.sent, 0.0)",
    "per_token_ms": "{role}.stream.per_token_ms",
    "tokens": "{role}.stream.tokens",
    "body_bytes": "{role}.body_bytes",
    "total_ms": "{role}.timing_ms.total",
    "dropped": "{role}.dropped",
    "error": "{role}.error",
}

_PAIR: Final = {
    "pair_id": "pair_id",
    "id": "id",
    "key": '"key"',
    "ts": "ts",
    "trial": "trial",
    "origin": "origin",
    "route": "route",
    "protocol": "protocol",
    "method": "request.method",
    "target": "request.target",
    "candidate": "candidate",
    "answered_by": "answered_by",
    **{f"{role}_{name}": sql.format(role=role) for name, sql in _EXCHANGE.items() for role in _ROLES},
    "request_body_bytes": "request.body_bytes",
    "result": "comparison.result",
    "reason": "comparison.reason",
    "agrees": "comparison.agrees",
    "items": "comparison.items",
    "items_disagreeing": "comparison.items_disagreeing",
    "production_prediction": "comparison.production_prediction",
    "shadow_prediction": "comparison.shadow_prediction",
    "noise_result": "noise.result",
    "noise_agrees": "noise.agrees",
    "latency_ms_difference": "comparison.latency_ms_difference",
    "censored": "coalesce(comparison.censored, false)",
    "noise_censored": "coalesce(noise.censored, false)",
    "warmup": "coalesce(warmup, false)",
    "slices": "slices",
    "metrics": "comparison.metrics",
    "differing_paths": "list_transform(comparison.differences, lambda difference: difference.path)",
    "differing_kinds": "list_transform(comparison.differences, lambda difference: difference.kind)",
    "differences_total": "comparison.differences_total",
    "noise_paths": "list_transform(noise.differences, lambda difference: difference.path)",
    "noise_metrics": "noise.metrics",
    "noise_kinds": "list_transform(noise.differences, lambda difference: difference.kind)",
    "rules": "comparison.rules",
}

_LEDGER: Final = {name: name for name in LEDGER}

_IS_PAIR: Final = (
    "coalesce(v = 1 AND kind = 'pair' AND pair_id IS NOT NULL AND trial IS NOT NULL AND candidate IS NOT NULL "
    "AND ts IS NOT NULL AND shadow.outcome IS NOT NULL, false)"
)
_IS_LEDGER: Final = (
    "coalesce(v = 1 AND kind = 'ledger' AND worker IS NOT NULL AND boot IS NOT NULL AND ts IS NOT NULL, false)"
)

# Each body once, however many candidates: the request's, production's and the twin's lie in every candidate's line.
_BODIES: Final = """
CREATE VIEW bodies AS
WITH once AS (SELECT * FROM body_lines WHERE pair_id IN (SELECT min(pair_id) FROM body_lines GROUP BY src))
SELECT pair_id, id, trial, NULL::VARCHAR AS upstream, 'request' AS role, request.headers AS headers,
  request.body AS body, request.body_encoding AS body_encoding, request.body_truncated AS body_truncated
FROM once
"""
_BODIES_OF_ROLE: Final = """
UNION ALL SELECT pair_id, id, trial, {role}.upstream, '{role}', {role}.headers, {role}.body, {role}.body_encoding,
  {role}.body_truncated
FROM {source} WHERE {role}.outcome IS NOT NULL
"""
_HOLDERS: Final = {"production": "once", "shadow": "body_lines", "twin": "once"}

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


def load_views(con: duckdb.DuckDBPyConnection, source: Source) -> Loaded:
    """Create `pairs`, `ledger` and `trials`, and count what could not be read."""
    pairs, bad_pairs = _create_view(con, "pairs", _PAIR, _IS_PAIR, schema.PAIRS, source.pairs)
    _, bad_ledgers = _create_view(con, "ledger", _LEDGER, _IS_LEDGER, LEDGER, source.ledgers)
    con.execute(_TRIALS)
    torn = sum(is_torn(file) for file in (*source.pairs, *source.ledgers))
    return Loaded(source.files, pairs, torn, max(0, bad_pairs + bad_ledgers - torn))


def load_bodies(con: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Create `bodies`: apart, because bodies are most of a log and most questions do not need them."""
    engine.load(con, "body_lines", "*", schema.BODIES, source.pairs)
    con.execute("DELETE FROM body_lines WHERE NOT coalesce(v = 1 AND kind = 'pair' AND pair_id IS NOT NULL, false)")
    roles = (_BODIES_OF_ROLE.format(role=role, source=holder) for role, holder in _HOLDERS.items())
    con.execute(_BODIES + "".join(roles))


def _create_view(
    con: duckdb.DuckDBPyConnection,
    name: str,
    exprs: Mapping[str, str],
    is_valid: str,
    columns: Mapping[str, str],
    files: Sequence[Path],
) -> tuple[int, int]:
    """The view holds what is valid; returns (its rows, lines that are no record)."""
    derived = ", ".join(f'{sql} AS "{column}"' for column, sql in exprs.items())
    left_out = engine.load(con, f"{name}_lines", f"{is_valid} AS is_valid, {derived}", columns, files)
    con.execute(f"CREATE VIEW {name} AS SELECT * EXCLUDE is_valid FROM {name}_lines WHERE is_valid")
    counted = con.execute(
        f"SELECT count(*) FILTER (is_valid), count(*) FILTER (NOT is_valid) FROM {name}_lines"
    ).fetchone()
    rows, bad = counted or (0, 0)
    return int(rows), int(bad) + left_out
