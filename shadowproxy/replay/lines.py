"""A replayed pair: production's exchange as it was recorded, the new answers as the recorder would write them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from shadowproxy.core import outcome
from shadowproxy.pairlog.record import encode
from shadowproxy.recorder.lines import lines_of
from shadowproxy.recorder.plan import Plan
from shadowproxy.replay.requests import Request
from shadowproxy.wire import frames

ORIGIN: Final = "replay"
_NS: Final = 1_000_000


def line(
    plan: Plan,
    route: int,
    request: Request,
    exchanges: tuple[frames.Exchange, ...],
    arrival_us: int,
    src: tuple[int, int, int],
    next_id: Callable[[], str],
) -> bytes:
    """One line with its newline. `exchanges`: the candidate's, and the twin's where there is one."""
    record = request.record
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    pair = frames.Pair(
        generation=0,
        route=route,
        flags=0,
        answered_by=frames.PRODUCTION,
        arrival_us=arrival_us,
        id=str(record.get("id") or "").encode(),
        head=f"{request.method} {request.target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1", "replace"),
        body=request.body,
        body_bytes=len(request.body),
        exchanges=(_recorded(record.get("production") or {}), *exchanges),
    )
    [made] = lines_of(plan, pair, src, next_id)
    written = orjson.loads(made.data)
    # As they were recorded: what production said and to what, the key that labels are joined on, the slices.
    for name in ("request", "production", "key", "slices", "answered_by"):
        written[name] = record.get(name)
    written["origin"] = ORIGIN
    return encode(written) + b"\n"


def _recorded(exchange: Mapping[str, Any]) -> frames.Exchange:
    """As a worker would hand it over, but for its content coding, which the log has taken off."""
    body, is_text = exchange.get("body"), exchange.get("body_encoding") == "utf8"
    raw = b"" if body is None else body.encode() if is_text else b64decode(body)
    is_kept = body is not None or not exchange.get("body_bytes")
    without = {"content-encoding"} if is_text else set()
    fields = "".join(f"{n}: {v}\r\n" for n, v in exchange.get("headers") or () if n.lower() not in without)
    status = int(exchange.get("status") or 0)
    times = exchange.get("timing_ms") or {}
    ended = exchange.get("outcome") or ""
    return frames.Exchange(
        role=frames.PRODUCTION,
        outcome=outcome.OUTCOMES.index(ended) if ended in outcome.OUTCOMES else 0,
        dropped=0,
        flags=frames.BODY_TRUNCATED if exchange.get("body_truncated") or not is_kept else 0,
        status=status,
        start=_ns(times.get("start")),
        connect=_ns(times.get("connect")),
        sent=_ns(times.get("sent")),
        first_byte=_ns(times.get("first_byte")),
        total=_ns(times.get("total")),
        stalled=_ns(times.get("stalled")),
        head=f"HTTP/1.1 {status} \r\n{fields}\r\n".encode("latin-1", "replace") if status else b"",
        body=raw,
        body_bytes=int(exchange.get("body_bytes") or 0),
        error=str(exchange.get("error") or "").encode(),
    )


def _ns(ms: float | None) -> int:
    return frames.UNKNOWN if ms is None else round(ms * _NS)
