"""Live is not ready: a process that lives but may not be sent requests must not be restarted for it."""

from __future__ import annotations

from aiohttp import web

from .problems import problem
from .view import VIEW

routes = web.RouteTableDef()


@routes.get("/livez")
async def livez(request: web.Request) -> web.Response:
    """This process answers; the supervisor restarts it otherwise."""
    return web.Response(text="ok\n")


@routes.get("/readyz")
@routes.get("/healthz")
async def readyz(request: web.Request) -> web.Response:
    """Not draining, a worker serves, and production can be reached. A supervisor that does not answer is a 503 too."""
    told = await request.app[VIEW].readiness()
    if told["ready"]:
        return web.Response(text="ok\n")
    reasons = list(told["reasons"])
    return problem(503, f"Not ready: {'; '.join(reasons)}.", reasons=reasons)
