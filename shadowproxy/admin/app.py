"""The admin API. One row an endpoint, one file a group.

    GET /livez           200 while this process answers                                     probes.py   no token
    GET /readyz          200, or 503 with `reasons`: draining, no worker, no production     probes.py   no token
    GET /healthz         the same as /readyz                                                probes.py   no token
    GET / /assets/NAME   the dashboard                                                      dashboard.py  no token
    GET /metrics         Prometheus' text format, or OpenMetrics if asked for               metrics.py
    GET /openapi.json    this table, for machines                                           openapi/       no token
    GET /api/v1/         status                       everything on one page                status.py
                         config, candidates,
                         candidates/NAME              what is in force                      configured.py
                         trials, report,
                         candidates/NAME/verdict      what is known                         evidence.py
                         pairs, pairs/ID              the log, newest first                 pairs.py
                         history                      who answered users since when         history.py
                         events                       what changes, as it changes           events.py
    POST /api/v1/        candidates, candidates/NAME/restart,
                         pause, resume, reload,
                         promote, rollback,
                         workers/restart              changes                               steering.py
    PATCH, DELETE        /api/v1/candidates/NAME      changes                               steering.py

HEAD goes wherever GET goes. Whether a candidate, the twin or the recorder is well decides no probe. Everything else is
a problem (`problems.py`), and every request passes `guard.py` first.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from . import configured, dashboard, events, evidence, guard, history, metrics, pairs, probes, status, steering
from .events import BROADCAST, Broadcast
from .openapi import document
from .view import VIEW, View

GROUPS: Final = (probes, dashboard, metrics, document, status, configured, evidence, pairs, history, events, steering)
MAX_BODY: Final = 64 << 10  # bytes of a request's body


def build(view: View) -> web.Application:
    app = web.Application(middlewares=[guard.errors, guard.admission], client_max_size=MAX_BODY)
    app[VIEW] = view
    app.on_response_prepare.append(guard.add_security_headers)
    for group in GROUPS:
        app.add_routes(group.routes)
    broadcast = app[BROADCAST] = Broadcast(view)

    async def end_streams(app: web.Application) -> None:
        await broadcast.close()

    app.on_shutdown.append(end_streams)
    return app
