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
Times = tuple[int, int, int, int, int, int]  # a Timing, or its fields in that order


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
    fingerprint: str | None = None  # what the answer says of the software that made it


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
    return None if timing is None else took_ms(timing.total, timing.sent, timing.stalled)


def took_ms(total: int, sent: int, stalled: int) -> float | None:
    """`latency_ms` of the three times that it is made of."""
    if total < 0 or sent < 0:
        return None
    took = total - sent - stalled if stalled > 0 else total - sent
    return took / 1e6 if took > 0 else 0.0


# A request and an exchange begin with what is often the same (`…_front`) and end with what hardly ever is (`…_rest`).
# Whoever writes many remembers beginnings as text and joins them with `whole`.


def request_record(method: str, target: str, headers: Headers, body: StoredBody, body_bytes: int) -> dict[str, Any]:
    return {**request_front(method, target, headers), **request_rest(body, body_bytes)}


def request_front(method: str, target: str, headers: Headers) -> dict[str, Any]:
    return {"method": method, "target": target, "headers": headers}


def request_rest(body: StoredBody, body_bytes: int) -> dict[str, Any]:
    text, encoding, truncated = body
    return {"body": text, "body_encoding": encoding, "body_bytes": body_bytes, "body_truncated": truncated}


def exchange_record(exchange: ExchangeRecord, body: StoredBody = NO_BODY) -> dict[str, Any]:
    rest = exchange_rest(body, exchange.body_bytes, exchange.timing or UNKNOWN, exchange.stream)
    return {**exchange_front(*exchange[:8], exchange.fingerprint), **rest}


def exchange_front(
    upstream: str,
    version: str,
    outcome: str | None,
    dropped: str | None,
    error: str | None,
    bad: bool,
    status: int | None,
    headers: Headers,
    fingerprint: str | None = None,
) -> dict[str, Any]:
    """The first fields of an `ExchangeRecord`, in their order, and its last."""
    return {
        "upstream": upstream,
        "version": version,
        "fingerprint": fingerprint,
        "outcome": outcome,
        "dropped": dropped,
        "error": error,
        "bad": bad,
        "status": status,
        "headers": headers,
    }


def exchange_rest(body: StoredBody, body_bytes: int, times: Times, stream: Stream | None) -> dict[str, Any]:
    text, encoding, truncated = body
    start, connect, sent, first_byte, total, stalled = times
    # `ms`, written out: six calls took as long as all the rest of an exchange.
    return {
        "body": text,
        "body_encoding": encoding,
        "body_bytes": body_bytes,
        "body_truncated": truncated,
        "timing_ms": {
            "start": None if start < 0 else (start + 500) // 1000 / 1000,
            "connect": None if connect < 0 else (connect + 500) // 1000 / 1000,
            "sent": None if sent < 0 else (sent + 500) // 1000 / 1000,
            "first_byte": None if first_byte < 0 else (first_byte + 500) // 1000 / 1000,
            "total": None if total < 0 else (total + 500) // 1000 / 1000,
            "stalled": None if stalled < 0 else (stalled + 500) // 1000 / 1000,
        },
        "stream": stream._asdict() if stream else None,
    }


def comparison_record(
    compared: Mapping[str, Any], other_key: str, latency_ms_difference: float | None, censored: bool
) -> dict[str, Any]:
    """`compared` has the contract's keys but the last two times'; in `noise` the other side is called "twin"."""
    rest = comparison_rest(latency_ms_difference, censored, compared["rules"])
    return {**comparison_front(compared, other_key), **rest}


def comparison_front(compared: Mapping[str, Any], other_key: str) -> dict[str, Any]:
    record = dict(compared)
    del record["rules"]
    record[f"{other_key}_prediction"] = record.pop("shadow_prediction", None)
    return record


def comparison_rest(latency_ms_difference: float | None, censored: bool, rules: str) -> dict[str, Any]:
    return {"latency_ms_difference": latency_ms_difference, "censored": censored, "rules": rules}


def fragment(record: Mapping[str, Any]) -> orjson.Fragment:
    """A part of several lines, serialised once."""
    return orjson.Fragment(encode(record))


def opened(record: Mapping[str, Any]) -> bytes:
    """A record's beginning as text, for `whole`."""
    return encode(record)[:-1] + b","


def whole(front: bytes, rest: Mapping[str, Any]) -> bytes:
    """A record as text, of which `front` was `opened`."""
    return front + encode(rest)[1:]


def encode(record: Any) -> bytes:
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


# pair_id, id, key, ts, worker, boot, seq, members of `pair_middle`, and six records as text.
_LINE: Final = (
    b'{"v":%d,"kind":"pair","pair_id":"%%b","id":%%b,"key":%%b,"ts":"%%b","src":[%%d,%%d,%%d],%%b,"request":%%b,'
    b'"production":%%b,"shadow":%%b,"twin":%%b,"comparison":%%b,"noise":%%b}\n' % VERSION
)
NULL: Final = b"null"


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
    middle = pair_middle(
        trial, head.origin, head.route, head.protocol, candidate, head.answered_by, head.warmup, head.slices
    )
    parts = [encode(part) for part in (request, production, shadow, twin, comparison, noise)]
    return pair_text(pair_id, encode(head.id), encode(head.key), head.ts, head.src, middle, *parts)


def pair_middle(
    trial: str,
    origin: str,
    route: str,
    protocol: str,
    candidate: str,
    answered_by: str,
    warmup: bool,
    slices: Mapping[str, str | None],
) -> bytes:
    """What stands between `src` and `request`, as text."""
    record = {
        "trial": trial,
        "origin": origin,
        "route": route,
        "protocol": protocol,
        "candidate": candidate,
        "answered_by": answered_by,
        "warmup": warmup,
        "slices": slices,
    }
    return encode(record)[1:-1]


def pair_text(
    pair_id: str,
    id_: bytes,
    key: bytes,
    ts: str,
    src: tuple[int, int, int],
    middle: bytes,
    request: bytes,
    production: bytes,
    shadow: bytes,
    twin: bytes,
    comparison: bytes,
    noise: bytes,
) -> bytes:
    """As `pair_line`, of parts that are JSON already."""
    worker, boot, seq = src
    return _LINE % (
        pair_id.encode(), id_, key, ts.encode(), worker, boot, seq, middle,
        request, production, shadow, twin, comparison, noise,
    )  # fmt: skip


def ledger_lines(rows: Iterable[Mapping[str, Any]], ts: str, worker: int, boot: int) -> bytes:
    """Each row as a worker counted it, behind what the recorder knows about it."""
    return b"".join(
        encode({"v": VERSION, "kind": "ledger", "ts": ts, "worker": worker, "boot": boot, **row}) + b"\n"
        for row in rows
    )
