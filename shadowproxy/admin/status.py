"""`/api/v1/status`: everything that runs, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from shadowproxy.settings.snapshot import Candidate, Production, Snapshot

from .candidates import agreements, coverage, ledger_of, mirrors
from .exchange import answer, etag, query
from .series import by_label, merge_gauges
from .verdicts import Records
from .view import VIEW

routes = web.RouteTableDef()


@routes.get("/api/v1/status")
async def get(request: web.Request) -> web.Response:
    view = request.app[VIEW]
    query(request, {})
    told = await view.status()
    return answer(page(view.snapshot, told, await view.verdicts.all()), headers=etag(told["revision"]))


def page(snapshot: Snapshot, told: Mapping[str, Any], verdicts: Records) -> dict[str, Any]:
    """`told` is what the supervisor knows (`supervisor/status.py`, `supervisor/desk.py`)."""
    counters = told["totals"]["counters"]
    gauges = merge_gauges(child["gauges"] for child in told["children"])
    rows = told["ledger"]["rows"]
    described = [_mirror(one, rows, counters, gauges, verdicts.get(one.name, {})) for one in mirrors(snapshot)]
    return {
        "version": told["version"],
        "started": datetime.fromtimestamp(told["started_ms"] / 1000, UTC).isoformat(timespec="milliseconds"),
        "uptime_s": told["uptime_s"],
        "generation": told["generation"],
        "revision": told["revision"],
        "ready": told["readiness"]["ready"],
        "reasons": told["readiness"]["reasons"],
        "draining": told["draining"],
        "drift": told["drift"],
        "promoted": told["promoted"],
        "ramp": told["ramp"],
        "audit": told["audit"],
        "listen": snapshot.listen,
        "admin": snapshot.admin.listen,
        "limits": told["limits"],
        "requests": int(sum(by_label(counters, "requests_total", "code").values())),
        "production": _production(snapshot.production),
        "candidates": [one for one in described if one["name"] != "twin"],
        "twin": next((one for one in described if one["name"] == "twin"), None),
        "workers": _role(told, "worker"),
        "recorder": next(iter(_role(told, "recorder")), None),
        "log": {
            "dir": snapshot.pairs.dir,
            "bytes": gauges.get("log_bytes"),
            "unlogged": {why: int(n) for why, n in by_label(counters, "pairs_unlogged_total", "reason").items()},
        },
        "ledger": told["ledger"]["boots"],
    }


def _production(production: Production) -> dict[str, Any]:
    return {"name": production.name, "version": production.version, "urls": list(production.urls)}


def _mirror(
    mirror: Candidate,
    rows: list[Mapping[str, Any]],
    counters: Mapping[str, float],
    gauges: Mapping[str, float],
    judged: Mapping[str, Any],
) -> dict[str, Any]:
    ledger = ledger_of(mirror, rows)
    return {
        "name": mirror.name,
        "url": mirror.url,
        "version": mirror.version,
        "trial": mirror.trial,
        "expect": mirror.expect,
        "gated": mirror.gated,
        "sample": mirror.sample,
        "paused": mirror.paused,
        "in_flight": int(by_label(gauges, "mirror_in_flight", "candidate").get(mirror.name, 0)),
        "coverage": coverage(ledger),
        "agreement": agreements([mirror], counters).get(mirror.name),
        "verdict": judged.get("verdict"),
        "headline": judged.get("headline"),
        "ledger": ledger,
    }


def _role(told: Mapping[str, Any], role: str) -> list[dict[str, Any]]:
    return [{name: fact for name, fact in c.items() if name != "role"} for c in told["children"] if c["role"] == role]
