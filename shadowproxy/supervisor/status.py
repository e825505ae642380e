"""Everything that the supervisor knows, as one dict of plain values: the answer to Ask("status").

`readiness` is the part of it that probes ask for. A candidate, the twin or the recorder never decides it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import shadowproxy
from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.wire.messages import Stats, merge_stats

from .seat import Seat
from .totals import Row, sum_rows


def readiness(workers: Iterable[Seat], *, draining: bool) -> dict[str, Any]:
    """`{ready, reasons}`: why not, in sentences."""
    ready = [seat.life for seat in workers if seat.is_ready and seat.life is not None]
    reasons = []
    if draining:
        reasons.append("draining: the proxy is about to end")
    elif not ready:
        reasons.append("no worker is ready")
    elif not any(life.healthy for life in ready):
        notes = sorted({life.note for life in ready if life.note})
        reasons.append("; ".join(["production cannot be reached", *notes]))
    return {"ready": not reasons, "reasons": reasons}


def children(seats: Iterable[Seat], now: float) -> list[dict[str, Any]]:
    return [_child(seat, now) for seat in seats]


def _child(seat: Seat, now: float) -> dict[str, Any]:
    life = seat.life
    facts: dict[str, Any] = {
        "role": seat.role,
        "slot": seat.slot,
        "state": seat.state,
        "restarts": seat.restarts,
        "last_exit": seat.last_exit or None,
    }
    if life is None:
        return {**facts, "pid": None, "boot": None, "heartbeat_age_s": None, "healthy": False, "note": "", "gauges": {}}
    return {
        **facts,
        "pid": life.pid,
        "boot": life.boot or None,
        "generation": life.generation,
        "heartbeat_age_s": round(now - life.beat_at, 3),
        "healthy": life.healthy,
        "note": life.note,
        "gauges": dict(life.stats.gauges),
    }


def totals(seats: Iterable[Seat]) -> dict[str, Any]:
    """Counters and histograms over every seat and every life; gauges stay with their process in `children`."""
    merged = Stats(counters={}, gauges={}, histograms={}, ledger=[])
    for seat in seats:
        merge_stats(merged, seat.stats())
    return {"counters": merged.counters, "histograms": merged.histograms}


def ledger(workers: Iterable[Seat]) -> dict[str, Any]:
    """`boots`: the last rows of each (worker, boot), boot 0 for the sum of long dead ones; `rows`: their sum."""
    boots: list[dict[str, Any]] = []
    everything: list[Row] = []
    for seat in workers:
        for boot, rows in seat.ledgers().items():
            boots.append({"worker": seat.slot, "boot": boot, "rows": rows})
            everything += rows
    return {"boots": boots, "rows": sum_rows(everything)}


def proxy(snapshot: Snapshot, started_ms: int, uptime_s: float) -> dict[str, Any]:
    return {
        "version": shadowproxy.__version__,
        "started_ms": started_ms,
        "uptime_s": round(uptime_s, 3),
        "generation": snapshot.generation,
        "listen": snapshot.listen,
        "limits": {"connections": snapshot.limits.connections},
    }
