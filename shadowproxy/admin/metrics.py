"""`/metrics`: what Prometheus scrapes."""

from __future__ import annotations

from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from .exposition import Totals
from .reading import take
from .view import VIEW

routes = web.RouteTableDef()


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    view = request.app[VIEW]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Totals(await take(view)))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(body=encode(registry), headers={"Content-Type": content_type})
