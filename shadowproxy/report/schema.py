"""The parts of a line that are read: the log's own types (`pairlog.schema`), narrowed.

A key that a line lacks reads as NULL, a key that is not named here is skipped, and a value of another type reads as
NULL. `PAIRS` leaves bodies, headers and the values of differences out, which are most of a log, so that figures never
pay for them; `BODIES` holds the candidate's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TIMING: Final = "STRUCT(start DOUBLE, connect DOUBLE, sent DOUBLE, first_byte DOUBLE, total DOUBLE, stalled DOUBLE)"
_STREAM: Final = "STRUCT(first_token_ms DOUBLE, per_token_ms DOUBLE, tokens INTEGER)"
_EXCHANGE: Final = (
    "STRUCT(upstream VARCHAR, version VARCHAR, fingerprint VARCHAR, outcome VARCHAR, dropped VARCHAR, error VARCHAR, "
    f"bad BOOLEAN, status SMALLINT, body_bytes BIGINT, timing_ms {_TIMING}, stream {_STREAM})"
)
_COMPARISON: Final = (
    "STRUCT(result VARCHAR, reason VARCHAR, agrees BOOLEAN, items BIGINT, items_disagreeing BIGINT, "
    "differences STRUCT(path VARCHAR, kind VARCHAR)[], differences_total BIGINT, metrics MAP(VARCHAR, DOUBLE), "
    "production_prediction VARCHAR, shadow_prediction VARCHAR, latency_ms_difference DOUBLE, censored BOOLEAN, "
    "rules VARCHAR)"
)
_NOISE: Final = (
    "STRUCT(result VARCHAR, agrees BOOLEAN, differences STRUCT(path VARCHAR, kind VARCHAR)[], "
    "metrics MAP(VARCHAR, DOUBLE), censored BOOLEAN)"
)
_IDENTITY: Final = {"v": "INTEGER", "kind": "VARCHAR", "pair_id": "VARCHAR", "id": "VARCHAR", "trial": "VARCHAR"}

PAIRS: Final[Mapping[str, str]] = {
    **_IDENTITY,
    "key": "VARCHAR",
    "ts": "TIMESTAMPTZ",
    "origin": "VARCHAR",
    "route": "VARCHAR",
    "protocol": "VARCHAR",
    "candidate": "VARCHAR",
    "answered_by": "VARCHAR",
    "warmup": "BOOLEAN",
    "slices": "MAP(VARCHAR, VARCHAR)",
    "request": "STRUCT(method VARCHAR, target VARCHAR, body_bytes BIGINT)",
    "production": _EXCHANGE,
    "shadow": _EXCHANGE,
    "twin": _EXCHANGE,
    "comparison": _COMPARISON,
    "noise": _NOISE,
}

BODIES: Final[Mapping[str, str]] = {"pair_id": "VARCHAR", "shadow": "STRUCT(body VARCHAR)"}
