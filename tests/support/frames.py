"""Frames as a worker would send them, from few words."""

from __future__ import annotations

from typing import Any

from shadowproxy.core import outcome
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames

ARRIVAL_US = 1_772_373_600_123_456  # 2026-03-01T14:00:00.123456Z
BOOT = 1_772_373_000_000
MS = 1_000_000


def head(*fields: str, first: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([first, *fields, "", ""]).encode("latin-1")


def exchange(
    role: int = frames.PRODUCTION,
    body: bytes = b'{"label":"a"}',
    *,
    status: int = 200,
    result: int = outcome.COMPLETE,
    fields: tuple[str, ...] = ("Content-Type: application/json",),
    ms: float = 10.0,
    **more: Any,
) -> frames.Exchange:
    """A whole answer `ms` after the request's last byte; without a status there was none."""
    values: dict[str, Any] = {
        "role": role,
        "outcome": result,
        "dropped": 0,
        "flags": 0,
        "status": status,
        "start": MS // 10,
        "connect": 0,
        "sent": MS,
        "first_byte": MS + int(ms * MS) // 2,
        "total": MS + int(ms * MS),
        "stalled": 0,
        "head": head(*fields, first=f"HTTP/1.1 {status} OK") if status else b"",
        "body": body if status else b"",
        "body_bytes": len(body) if status else 0,
        "error": b"",
    }
    return frames.Exchange(**{**values, **more})


def dropped(role: int, reason: int) -> frames.Exchange:
    unknown = dict.fromkeys(("start", "connect", "sent", "first_byte", "total", "stalled"), frames.UNKNOWN)
    return exchange(role, b"", status=0, result=0, dropped=reason, **unknown)


def candidate(number: int = 0, body: bytes = b'{"label":"a"}', **more: Any) -> frames.Exchange:
    return exchange(frames.FIRST_CANDIDATE + number, body, **more)


def pair(*exchanges: frames.Exchange, body: bytes = b'{"x":1}', **more: Any) -> frames.Pair:
    values: dict[str, Any] = {
        "generation": 1,
        "route": 0,
        "flags": 0,
        "answered_by": frames.PRODUCTION,
        "arrival_us": ARRIVAL_US,
        "id": b"request-1",
        "head": head("Host: x", "Content-Type: application/json", first="POST /predict HTTP/1.1"),
        "body": body,
        "body_bytes": len(body),
        "exchanges": exchanges or (exchange(), candidate()),
    }
    return frames.Pair(**{**values, **more})


def snapshot(folder: str, candidates: int = 1, twin: bool = False, **more: Any) -> settings.Snapshot:
    """Candidates v2, v3 …, with small flush times; `pairs` are more settings of the log."""
    pairs = {"dir": folder, "flush": 0.01, "keep": settings.Keep(free=0), **more.pop("pairs", {})}
    values: dict[str, Any] = {
        "production": settings.Production(name="v1", urls=("http://127.0.0.1:1",), version="1.0"),
        "candidates": tuple(
            settings.Candidate(name=f"v{n + 2}", url="http://127.0.0.1:2", trial=f"v{n + 2}-0123456789", version="2.0")
            for n in range(candidates)
        ),
        "twin": settings.Candidate(name="twin", url="http://127.0.0.1:3", version="1.0") if twin else None,
        "pairs": settings.Pairs(**pairs),
    }
    return settings.Snapshot(**{**values, **more})
