"""`/api/v1/history`: who answered users since when, and how often and how fast that changes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from .exchange import answer, query, whole
from .view import VIEW

routes = web.RouteTableDef()

MONTH_S: Final = 30 * 86400.0
_LIMIT, _MOST = 100, 1000

Record = dict[str, Any]


@routes.get("/api/v1/history")
async def get(request: web.Request) -> web.Response:
    """The newest first; `cursor` is how many to pass over."""
    asked = query(request, {"limit": whole(1, _MOST), "cursor": whole(0, 10**8)})
    records = folded(await request.app[VIEW].history())
    at, limit = asked.get("cursor", 0), asked.get("limit", _LIMIT)
    items = records[at : at + limit]
    next_ = str(at + limit) if at + limit < len(records) else None
    return answer({"items": items, "next": next_, **figures(records, datetime.now(UTC))})


def folded(records: Sequence[Record]) -> list[Record]:
    """The newest first; a promotion says when it was rolled back, None where it was not."""
    items: list[Record] = []
    undone: list[Record] = []  # rollbacks, newest first, whose promotion has not come yet
    for record in reversed(records):
        item = dict(record)
        if record.get("action") == "rolled_back":
            undone.append(record)
        elif record.get("action") == "promoted":
            back = next((one for one in undone if (one["from"], one["to"]) == (record["to"], record["from"])), None)
            item["rolled_back"] = back["at"] if back else None
            if back:
                undone.remove(back)
        items.append(item)
    return items


def figures(records: Sequence[Record], now: datetime) -> dict[str, Any]:
    """Over all promotions: how many a month since the first (at least a month), seconds to a verdict, share undone."""
    promotions = [record for record in records if record.get("action") == "promoted"]
    if not promotions:
        return {"deployments_per_month": 0.0, "median_time_to_verdict_s": None, "share_rolled_back": None}
    first = min(datetime.fromisoformat(record["at"]) for record in promotions)
    months = max(1.0, (now - first).total_seconds() / MONTH_S)
    known = [record["to_verdict_s"] for record in promotions if record.get("to_verdict_s") is not None]
    return {
        "deployments_per_month": len(promotions) / months,
        "median_time_to_verdict_s": statistics.median(known) if known else None,
        "share_rolled_back": sum(record["rolled_back"] is not None for record in promotions) / len(promotions),
    }
