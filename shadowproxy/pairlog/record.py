"""A line of the pair log: its keys, in the contract's order, from plain values.

The order is part of the format. `src` stands before anything that can be long, so that whoever looks for it in a
gigabyte of lines (`pairlog.marks`) finds it near each line's start. A quoted name that is followed by `:[` can only be
a key, for inside strings quotes are escaped; so a search in bytes needs no parser.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from shadowproxy.pairlog.body import NO_BODY, StoredBody

VERSION: Final = 1
LIVE: Final = "live"

Headers = Sequence[tuple[str, str]]


class Timing(NamedTuple):
    """ns; -1 is unknown."""

    start: int
    connect: int
    sent: int
    first_byte: int
    total: int
    stalled: int


UNKNOWN: Final = Timing(-1, -1, -1, -1, -1, -1)


class Stream(NamedTuple):
    """What a streamed answer's arrivals say, in ms; None is unknown."""

    events: int
    first_token_ms: float | None
    per_token_ms: float | None
    max_gap_ms: float | None
    tokens: int | None = None


class ExchangeRecord(NamedTuple):
    upstream: str
    version: str
    outcome: str | None  # None when the copy was not sent, `dropped` then says why
    dropped: str | None
    error: str | None
    bad: bool
    status: int | None
    headers: Headers
    body_bytes: int
    timing: Timing | None
    stream: Stream | None


class Head(NamedTuple):
    """What the lines of one request share."""

    id: str
    key: str | None
    ts: str
    src: tuple[int, int, int]  # worker, boot, seq
    origin: str
    route: str
    protocol: str
    answered_by: str
    warmup: bool
    slices: Mapping[str, str | None]


def timestamp(us: int) -> str:
    """µs since 1970 → RFC 3339 in UTC with µs."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_second(second)}.{fraction:06d}Z"


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def ms(ns: int) -> float | None:
    """ns → ms, rounded to µs; an unknown time is None. By integers: `round` takes five times as long."""
    return None if ns < 0 else (ns + 500) // 1000 / 1000


def latency_ms(timing: Timing | None) -> float | None:
    """JUDGEMENT.md §4: total − sent − stalled, at least 0; None where a time is unknown."""
    if timing is None or timing.total < 0 or timing.sent < 0:
        return None
    return max(0, timing.total - timing.sent - max(0, timing.stalled)) / 1e6


def request_record(method: str, target: str, headers: Headers, body: StoredBody, body_bytes: int) -> dict[str, Any]:
    return {
        "method": method,
        "target": target,
        "headers": headers,
        "body": body.body,
        "body_encoding": body.encoding,
        "body_bytes": body_bytes,
        "body_truncated": body.truncated,
    }


def exchange_record(exchange: ExchangeRecord, body: StoredBody = NO_BODY) -> dict[str, Any]:
    return {
        "upstream": exchange.upstream,
        "version": exchange.version,
        "outcome": exchange.outcome,
        "dropped": exchange.dropped,
        "error": exchange.error,
        "bad": exchange.bad,
        "status": exchange.status,
        "headers": exchange.headers,
        "body": body.body,
        "body_encoding": body.encoding,
        "body_bytes": exchange.body_bytes,
        "body_truncated": body.truncated,
        "timing_ms": _timing_ms(exchange.timing or UNKNOWN),
        "stream": exchange.stream._asdict() if exchange.stream else None,
    }


def _timing_ms(timing: Timing) -> dict[str, float | None]:
    start, connect, sent, first_byte, total, stalled = timing
    return {
        "start": ms(start),
        "connect": ms(connect),
        "sent": ms(sent),
        "first_byte": ms(first_byte),
        "total": ms(total),
        "stalled": ms(stalled),
    }


def comparison_record(
    compared: Mapping[str, Any], other_key: str, latency_ms_difference: float | None, censored: bool
) -> dict[str, Any]:
    """`compared` has the contract's keys but the last two times'; in `noise` the other side is called "twin"."""
    record = dict(compared)
    rules = record.pop("rules")
    other = record.pop("shadow_prediction", None)
    record[f"{other_key}_prediction"] = other
    record["latency_ms_difference"] = latency_ms_difference
    record["censored"] = censored
    record["rules"] = rules
    return record


def fragment(record: Mapping[str, Any]) -> orjson.Fragment:
    """A part of several lines, serialised once."""
    return orjson.Fragment(encode(record))


def encode(record: Mapping[str, Any]) -> bytes:
    """JSON; NaN and infinities become null. Text that is no Unicode (lone surrogates) is replaced, never refused."""
    try:
        return orjson.dumps(record)
    except TypeError:
        return orjson.dumps(_writable(record))


def _writable(value: Any) -> Any:
    """The value with all that JSON in UTF-8 cannot hold made harmless: the slow way, for what hostile bodies bring."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_writable(str(name)): _writable(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(element) for element in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 64:
        return float(value) if value.bit_length() < 1024 else math.inf
    return value


def pair_line(
    pair_id: str,
    head: Head,
    trial: str,
    candidate: str,
    request: Any,
    production: Any,
    shadow: Any,
    twin: Any,
    comparison: Any,
    noise: Any,
) -> bytes:
    """One line with its newline; the last six are records, or fragments of them."""
    return (
        encode(
            {
                "v": VERSION,
                "kind": "pair",
                "pair_id": pair_id,
                "id": head.id,
                "key": head.key,
                "ts": head.ts,
                "src": head.src,
                "trial": trial,
                "origin": head.origin,
                "route": head.route,
                "protocol": head.protocol,
                "candidate": candidate,
                "answered_by": head.answered_by,
                "warmup": head.warmup,
                "slices": head.slices,
                "request": request,
                "production": production,
                "shadow": shadow,
                "twin": twin,
                "comparison": comparison,
                "noise": noise,
            }
        )
        + b"\n"
    )


def ledger_lines(rows: Iterable[Mapping[str, Any]], ts: str, worker: int, boot: int) -> bytes:
    """Each row as a worker counted it, behind what the recorder knows about it."""
    return b"".join(
        encode({"v": VERSION, "kind": "ledger", "ts": ts, "worker": worker, "boot": boot, **row}) + b"\n"
        for row in rows
    )
