"""What is in force: the configuration as a file would say it, with what differs from the file, and the candidates."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from shadowproxy.settings.effective import effective
from shadowproxy.settings.snapshot import Candidate, Snapshot
from shadowproxy.settings.unbuild import unbuild

from .exchange import answer, etag, is_known, listed, query
from .view import VIEW

routes = web.RouteTableDef()


@routes.get("/api/v1/config")
async def config(request: web.Request) -> web.Response:
    """`config` loads again as a file, but for the secrets, which are masked."""
    query(request, {})
    view = request.app[VIEW]
    told = await view.status()
    if is_known(request, told["revision"]):
        return web.Response(status=304, headers=etag(told["revision"]))
    body = {
        "generation": told["generation"],
        "revision": told["revision"],
        "config": effective(unbuild(view.snapshot)),
        "drift": told["drift"],
        "ramp": told["ramp"],
    }
    return answer(body, headers=etag(told["revision"]))


@routes.get("/api/v1/candidates")
async def candidates(request: web.Request) -> web.Response:
    query(request, {})
    view = request.app[VIEW]
    told = await view.status()
    if is_known(request, told["revision"]):
        return web.Response(status=304, headers=etag(told["revision"]))
    items = [described(view.snapshot, candidate) for candidate in view.snapshot.candidates]
    return listed(items, headers=etag(told["revision"]))


@routes.get("/api/v1/candidates/{name}")
async def candidate(request: web.Request) -> web.Response:
    """One of them; its ETag is the whole configuration's, as everywhere."""
    query(request, {})
    view, name = request.app[VIEW], request.match_info["name"]
    told = await view.status()
    found = view.candidate(name)
    if is_known(request, told["revision"]):
        return web.Response(status=304, headers=etag(told["revision"]))
    return answer(described(view.snapshot, found), headers=etag(told["revision"]))


def described(snapshot: Snapshot, candidate: Candidate) -> dict[str, Any]:
    """What is configured of one; its figures are in `/api/v1/status`."""
    ramp = snapshot.ramp
    return {
        "name": candidate.name,
        "url": candidate.url,
        "version": candidate.version,
        "trial": candidate.trial,
        "expect": candidate.expect,
        "gated": candidate.gated,
        "gates": None if candidate.gates is None else list(candidate.gates),
        "sample": candidate.sample,
        "sample_key": candidate.sample_key,
        "paused": candidate.paused,
        "answers": ramp.share if ramp is not None and ramp.candidate == candidate.name else 0.0,
    }
