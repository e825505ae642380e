"""The log's types for DuckDB: what `read_json(…, columns = …)` is told, so that nothing is guessed from the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_HEADERS: Final = "VARCHAR[][]"
_BODY: Final = "body VARCHAR, body_encoding VARCHAR, body_bytes BIGINT, body_truncated BOOLEAN"
_TIMING: Final = "STRUCT(start DOUBLE, connect DOUBLE, sent DOUBLE, first_byte DOUBLE, total DOUBLE, stalled DOUBLE)"
_STREAM: Final = "STRUCT(events BIGINT, first_token_ms DOUBLE, per_token_ms DOUBLE, max_gap_ms DOUBLE, tokens INTEGER)"
_EXCHANGE: Final = (
    "STRUCT(upstream VARCHAR, version VARCHAR, fingerprint VARCHAR, outcome VARCHAR, dropped VARCHAR, error VARCHAR, "
    f"bad BOOLEAN, status SMALLINT, headers {_HEADERS}, {_BODY}, timing_ms {_TIMING}, stream {_STREAM})"
)


def _comparison(other: str) -> str:
    return (
        "STRUCT(result VARCHAR, reason VARCHAR, agrees BOOLEAN, items BIGINT, items_disagreeing BIGINT, "
        f"differences STRUCT(path VARCHAR, kind VARCHAR, production JSON, {other} JSON)[], differences_total BIGINT, "
        f"metrics MAP(VARCHAR, DOUBLE), production_prediction VARCHAR, {other}_prediction VARCHAR, "
        "latency_ms_difference DOUBLE, censored BOOLEAN, rules VARCHAR)"
    )


PAIRS: Final[Mapping[str, str]] = {
    "v": "INTEGER",
    "kind": "VARCHAR",
    "pair_id": "VARCHAR",
    "id": "VARCHAR",
    "key": "VARCHAR",
    "ts": "TIMESTAMPTZ",
    "src": "BIGINT[]",
    "trial": "VARCHAR",
    "origin": "VARCHAR",
    "route": "VARCHAR",
    "protocol": "VARCHAR",
    "candidate": "VARCHAR",
    "answered_by": "VARCHAR",
    "warmup": "BOOLEAN",
    "slices": "MAP(VARCHAR, VARCHAR)",
    "request": f"STRUCT(method VARCHAR, target VARCHAR, headers {_HEADERS}, {_BODY})",
    "production": _EXCHANGE,
    "shadow": _EXCHANGE,
    "twin": _EXCHANGE,
    "comparison": _comparison("shadow"),
    "noise": _comparison("twin"),
}

# The parts of a line that columns are made of: all but bodies and headers, which are most of it; and those alone.
_LEAN_EXCHANGE: Final = (
    "STRUCT(upstream VARCHAR, version VARCHAR, fingerprint VARCHAR, outcome VARCHAR, dropped VARCHAR, error VARCHAR, "
    f"bad BOOLEAN, status SMALLINT, body_bytes BIGINT, timing_ms {_TIMING}, stream {_STREAM})"
)
WITHOUT_BODIES: Final[Mapping[str, str]] = {
    **PAIRS,
    "request": "STRUCT(method VARCHAR, target VARCHAR, body_bytes BIGINT)",
    "production": _LEAN_EXCHANGE,
    "shadow": _LEAN_EXCHANGE,
    "twin": _LEAN_EXCHANGE,
}

_STORED: Final = f"headers {_HEADERS}, body VARCHAR, body_encoding VARCHAR, body_truncated BOOLEAN"
_SIDE: Final = f"STRUCT(upstream VARCHAR, outcome VARCHAR, {_STORED})"
WITH_BODIES: Final[Mapping[str, str]] = {
    **{name: PAIRS[name] for name in ("v", "kind", "pair_id", "id", "ts", "src", "trial", "candidate")},
    "request": f"STRUCT({_STORED})",
    "production": _SIDE,
    "shadow": _SIDE,
    "twin": _SIDE,
}

_COUNTS: Final = "MAP(VARCHAR, BIGINT)"

LEDGER: Final[Mapping[str, str]] = {
    "v": "INTEGER",
    "kind": "VARCHAR",
    "ts": "TIMESTAMPTZ",
    "worker": "BIGINT",
    "boot": "BIGINT",
    "trial": "VARCHAR",
    "candidate": "VARCHAR",
    "route": "VARCHAR",
    "requests": "BIGINT",
    "unmatched": "BIGINT",
    "excluded": _COUNTS,
    "eligible": "BIGINT",
    "sampled_out": "BIGINT",
    "dropped": _COUNTS,
    "sent": "BIGINT",
    "in_flight": "BIGINT",
    "finished": _COUNTS,
    "logged": "BIGINT",
    "unlogged": _COUNTS,
}


def columns_clause(columns: Mapping[str, str]) -> str:
    """As `columns =` wants it."""
    return "{" + ", ".join(f"{name}: '{kind}'" for name, kind in columns.items()) + "}"
