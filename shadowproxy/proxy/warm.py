"""Connections to a production that is about to answer, made before it does.

Law: what is warmed can be reached: at least one of its addresses took a connection. One that none can reach is refused,
and nothing has changed.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Final

from shadowproxy.proxy.production import Production
from shadowproxy.proxy.upstream import UpstreamConnection

CONNECTIONS: Final = 4  # to each address; what a burst needs beyond them is connected when it comes


async def connected(production: Production) -> str:
    """Why no address can be reached, or nothing. One that idles already needs nothing more."""
    attempts = []
    for endpoint in production.endpoints:
        pool = endpoint.pool
        wanted = min(CONNECTIONS - len(pool.idle), pool.limit - pool.open)
        for _ in range(wanted):
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            attempts.append(future)

            def made(connection: UpstreamConnection, future: asyncio.Future[str] = future) -> None:
                connection.pool.give_back(connection, perf_counter_ns())
                future.set_result("")

            def failed(code: int, kind: str, detail: str, future: asyncio.Future[str] = future) -> None:
                future.set_result(detail)

            pool.connect(made, failed)
    outcomes = await asyncio.gather(*attempts)
    return next(iter(outcomes), "") if outcomes and all(outcomes) else ""
