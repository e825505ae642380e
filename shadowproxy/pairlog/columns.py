"""A line as columns: what `pairs-*.parquet`, `bodies-*.parquet` and `ledger-*.parquet` hold, as SQL over the lines.

Everything that reads lines with DuckDB reads them through these tables, so a log gives the same rows in either form.

    PAIR     the contract's columns, and those that only a line's detail can give: why a copy was dropped, the kinds of
             differences, the rules' digest. Figures and `sql` need nothing else
    DETAIL   what a segment of columns holds beside them, so that `restore` can give every line back
    LEDGER   the ledger's keys as they are
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shadowproxy.pairlog import schema

ROLES: Final = ("production", "shadow", "twin")

# Latency is the time that the upstream took: from the last request byte to the last answer byte, less the time in which
# a slow client kept the proxy from reading.
_EXCHANGE: Final = {
    "upstream": "{role}.upstream",
    "version": "{role}.version",
    "fingerprint": "{role}.fingerprint",
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

PAIR: Final[Mapping[str, str]] = {
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
    **{f"{role}_{name}": sql.format(role=role) for name, sql in _EXCHANGE.items() for role in ROLES},
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

# Columns that segments of an older version lack, as one reads them there.
ADDED: Final = ", ".join(f"NULL::VARCHAR AS {role}_fingerprint" for role in ROLES)

SRC: Final[Mapping[str, str]] = {"worker": "src[1]", "boot": "src[2]", "seq": "src[3]"}

DETAIL: Final[Mapping[str, str]] = {
    **SRC,
    **{f"{role}_{part}": f"{role}.{part}" for part in ("timing_ms", "stream") for role in ROLES},
    "differences": "comparison.differences",
    "noise": "noise",
}

LEDGER: Final[Mapping[str, str]] = {name: f'"{name}"' for name in schema.LEDGER}

IS_PAIR: Final = (
    "coalesce(v = 1 AND kind = 'pair' AND pair_id IS NOT NULL AND trial IS NOT NULL AND candidate IS NOT NULL "
    "AND ts IS NOT NULL AND shadow.outcome IS NOT NULL, false)"
)
# What a line says of a copy that was never sent: the ledger counts it, and there is no pair.
IS_UNSENT: Final = "coalesce(v = 1 AND kind = 'pair' AND shadow.outcome IS NULL AND shadow.dropped IS NOT NULL, false)"
IS_LEDGER: Final = (
    "coalesce(v = 1 AND kind = 'ledger' AND worker IS NOT NULL AND boot IS NOT NULL AND ts IS NOT NULL, false)"
)

# What tells one request from another, even when clients repeat ids; a line without `src` stands for itself.
FRAME: Final = "coalesce(src::VARCHAR, pair_id)"

# Each body once, however many candidates: the request's, production's and the twin's lie in every candidate's line. One
# line of each request is asked for them: the first that has any, for with `bodies: different` some lines have none.
HAS_BODIES: Final = "coalesce(request.body, production.body, shadow.body, twin.body) IS NOT NULL"
KEEPERS: Final = f"SELECT arg_min(pair_id, (NOT has_bodies, pair_id)) FROM {{frames}} GROUP BY {FRAME}"

BODY: Final = "pair_id, id, trial, upstream, role, headers, body, body_encoding, body_truncated"

_BODIES: Final = """
SELECT pair_id, id, trial, unnest([
  {{upstream: NULL::VARCHAR, role: 'request', headers: request.headers, body: request.body,
    body_encoding: request.body_encoding, body_truncated: request.body_truncated, is_there: keeps}},
  {sides}], max_depth := 2), src[1] AS worker, src[2] AS boot, src[3] AS seq
FROM {lines}
"""
_SIDE: Final = (
    "{{upstream: {role}.upstream, role: '{role}', headers: {role}.headers, body: {role}.body, "
    "body_encoding: {role}.body_encoding, body_truncated: {role}.body_truncated, "
    "is_there: {whose} AND {role}.outcome IS NOT NULL}}"
)
_WHOSE: Final = {"production": "keeps", "shadow": "true", "twin": "keeps"}


def selected(columns: Mapping[str, str]) -> str:
    """As a SELECT wants it."""
    return ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())


def bodies(lines: str) -> str:
    """Rows of bodies from `lines`, a relation of valid lines with `keeps`: whether the line keeps its request's."""
    sides = ",\n  ".join(_SIDE.format(role=role, whose=whose) for role, whose in _WHOSE.items())
    return f"SELECT {BODY}, worker, boot, seq FROM ({_BODIES.format(sides=sides, lines=lines)}) WHERE is_there"
