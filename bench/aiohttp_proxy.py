"""What a proxy in Python usually is: aiohttp's server and client on uvloop, one handler. For reference.

    python -m bench.aiohttp_proxy LISTEN PRODUCTION [CANDIDATE]

The candidate gets a copy from a task that nobody waits for; its answer is read and thrown away.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "trailer"})


def application(production: int, candidate: int | None) -> web.Application:
    session = web.AppKey("session", aiohttp.ClientSession)
    copies: set[asyncio.Task[None]] = set()

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as made:
            app[session] = made
            yield

    async def copy(request: web.Request, body: bytes) -> None:
        url = f"http://127.0.0.1:{candidate}{request.raw_path}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with request.app[session].request(request.method, url, headers=headers, data=body) as answer:
            await answer.read()

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        if candidate is not None:
            task = asyncio.create_task(copy(request, body))
            copies.add(task)
            task.add_done_callback(copies.discard)
        url = f"http://127.0.0.1:{production}{request.raw_path}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with request.app[session].request(request.method, url, headers=headers, data=body) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app = web.Application(client_max_size=1 << 30)
    app.cleanup_ctx.append(lifetime)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def command(listen: int, production: int, candidate: int | None) -> list[str]:
    more = [] if candidate is None else [str(candidate)]
    return [sys.executable, "-m", "bench.aiohttp_proxy", str(listen), str(production), *more]


def main() -> None:
    listen, production, *more = (int(word) for word in sys.argv[1:])
    app = application(production, more[0] if more else None)
    web.run_app(
        app, host="127.0.0.1", port=listen, loop=uvloop.new_event_loop(), access_log=None, print=lambda *_: None
    )


if __name__ == "__main__":
    main()
