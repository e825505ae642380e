"""`/api/v1/pairs`: the log's pairs, newest first, and one request's pairs whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from shadowproxy.core.outcome import OUTCOMES
from shadowproxy.pairlog import newest
from shadowproxy.pairlog.newest import Pair

from .asked import AskedError, ask
from .awaited import RESULTS
from .exchange import answer, listed, one_of, query, switch, text, whole
from .problems import Refusal
from .view import VIEW

routes = web.RouteTableDef()

LIMIT, MOST = 50, 500
READERS: Final = 2  # pages that are read at once; others wait
FIND_S: Final = 30
PATHS: Final = 5  # differing paths that a summary names

_reading = asyncio.Semaphore(READERS)


@routes.get("/api/v1/pairs")
async def pairs(request: web.Request) -> web.Response:
    """Summaries; a page may hold fewer than `limit`, or none, and still have a `next`."""
    asked = query(
        request,
        {
            "candidate": text,
            "trial": text,
            "route": text,
            "agrees": switch,
            "result": one_of(*RESULTS),
            "outcome": one_of(*(name for name in OUTCOMES if name)),
            "cursor": newest.parse_cursor,
            "limit": whole(1, MOST),
        },
    )
    limit, cursor = asked.pop("limit", LIMIT), asked.pop("cursor", None)
    folder = Path(request.app[VIEW].snapshot.pairs.dir)
    async with _reading:
        found = await asyncio.to_thread(newest.page, folder, asked, limit, cursor)
    # Lines lie in the order in which exchanges ended; within a page at least they stand as requests came.
    newest_first = sorted(found.pairs, key=lambda pair: str(pair.get("ts")), reverse=True)
    return listed([summary(pair) for pair in newest_first], None if found.next is None else str(found.next))


@routes.get("/api/v1/pairs/{id}")
async def pair(request: web.Request) -> web.Response:
    """Every pair of the request that the id names: a request's id, or one of its pairs'. As they lie in the log."""
    wanted_id = request.match_info["id"]
    query(request, {})
    folder = request.app[VIEW].snapshot.pairs.dir
    try:
        found = orjson.loads(await ask({"what": "pairs", "paths": [folder], "id": wanted_id}, FIND_S))
    except AskedError as e:
        raise Refusal(404 if e.is_answer else 503, str(e)) from None
    return answer({"items": found, "next": None})


def summary(pair: Pair) -> dict[str, Any]:
    comparison, request = pair["comparison"], pair["request"]
    paths = [difference.get("path") for difference in comparison.get("differences") or ()]
    return {
        **{name: pair.get(name) for name in _COPIED},
        "method": request.get("method"),
        "target": request.get("target"),
        **{name: comparison.get(name) for name in _OF_COMPARISON},
        "differing_paths": paths[:PATHS],
        **{role: _side(pair.get(role)) for role in ("production", "shadow", "twin")},
    }


_COPIED: Final = (
    "pair_id",
    "id",
    "key",
    "ts",
    "trial",
    "origin",
    "route",
    "protocol",
    "candidate",
    "answered_by",
    "warmup",
)
_OF_COMPARISON: Final = (
    "result",
    "reason",
    "agrees",
    "differences_total",
    "production_prediction",
    "shadow_prediction",
    "latency_ms_difference",
)
_OF_SIDE: Final = ("upstream", "version", "outcome", "dropped", "error", "bad", "status")


def _side(exchange: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if exchange is None:
        return None
    return {**{name: exchange.get(name) for name in _OF_SIDE}, "latency_ms": _latency_ms(exchange)}


def _latency_ms(exchange: Mapping[str, Any]) -> float | None:
    """What the upstream took: `total − sent − stalled`, at least 0."""
    timing = exchange.get("timing_ms") or {}
    total, sent = timing.get("total"), timing.get("sent")
    return None if total is None or sent is None else round(max(0.0, total - sent - (timing.get("stalled") or 0.0)), 3)
