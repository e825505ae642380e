"""The admin API. One row an endpoint, one file a group.

    GET /livez           200 while this process answers                                     probes.py   no token
    GET /readyz          200, or 503 with `reasons`: draining, no worker, no production     probes.py   no token
    GET /healthz         the same as /readyz                                                probes.py   no token
    GET /metrics         Prometheus' text format, or OpenMetrics if asked for               metrics.py
    GET /api/v1/status   everything on one page                                             status.py

HEAD goes wherever GET goes. Whether a candidate, the twin or the recorder is well decides no probe. Everything else is
a problem (`problems.py`), and every request passes `guard.py` first.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from . import guard, metrics, probes, status
from .view import VIEW, View

MAX_BODY: Final = 64 << 10  # bytes of a request's body


def build(view: View) -> web.Application:
    app = web.Application(middlewares=[guard.errors, guard.admission], client_max_size=MAX_BODY)
    app[VIEW] = view
    app.on_response_prepare.append(guard.add_security_headers)
    for group in (probes, metrics, status):
        app.add_routes(group.routes)
    return app
