"""A webhook's receiver, on a real socket: keeps what it was sent, and answers as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


class Receiver:
    """`statuses` are answered in turn, the last for ever; 0 is no answer."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses or (200,))
        self.bodies: list[Any] = []
        self.url = ""
        self.changed = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        body = await request.json()
        async with self.changed:
            self.bodies.append(body)
            self.changed.notify_all()
        if status == 0:
            await asyncio.sleep(3600)
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    async def until(self, true: Callable[[list[Any]], bool]) -> list[Any]:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: true(self.bodies))
        return self.bodies


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(*statuses)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver
