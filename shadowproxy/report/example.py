"""Pairs to look at, as part of the report's record."""

from __future__ import annotations

import msgspec


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Difference(_Record, frozen=True, kw_only=True):
    path: str
    kind: str
    production: str  # JSON
    shadow: str


class Side(_Record, frozen=True, kw_only=True):
    upstream: str
    outcome: str | None
    status: int | None
    bad: bool | None
    latency_ms: float | None
    error: str | None
    body: str | None
    body_encoding: str | None
    body_bytes: int | None
    cut: bool  # the log or this report holds only the beginning of the body


class Example(_Record, frozen=True, kw_only=True):
    """A pair that stands for `count` others alike."""

    pair_id: str
    id: str
    ts: str
    route: str
    kind: str  # "fails", "decides differently" or "differs"
    what: str
    count: int
    method: str
    target: str
    request: str | None
    request_encoding: str | None
    request_cut: bool
    production: Side
    shadow: Side
    differences: list[Difference]
