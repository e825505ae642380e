"""The admin port's sockets: aiohttp's server, with refusals of its own in our form.

What is no HTTP, or too much of it, never becomes a request, so that no middleware sees it; neither does one with an
`Expect` that nobody knows. It is answered as a problem all the same, without the name of a library, and a stranger's
garbage is a line in the log, not a traceback.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import structlog
from aiohttp import web

from .guard import SECURITY_HEADERS
from .problems import of_refusal, problem

BACKLOG: Final = 256
MAX_LINE: Final = 8190  # bytes of a request line, and of a header
IDLE_S: Final = 30.0  # an idle connection is closed
TOLD: Final = 100  # characters of what was wrong

_log = structlog.get_logger()


class Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is on its way already")
        why = " ".join((message or "").split())[:TOLD]
        if status >= 500:
            _log.error("admin.fault", path=request.path, exc_info=exc)
            answer = problem(status, "This is a fault in shadowproxy; its log says more.")
        else:
            _log.info("admin.no_request", client=request.remote, why=why)
            answer = problem(status, "This is no HTTP/1 request, or its line or a header is longer than 8190 bytes.")
        answer.headers.update(SECURITY_HEADERS)
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """What aiohttp refuses before any middleware (an `Expect` that it does not know) is a problem as well."""
        if isinstance(resp, web.HTTPException):
            resp = of_refusal(resp, request)
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """The rest of a body that could not be read is not to be read either: its request was told so."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class Port:
    """Serves the application on a socket that listens, from `open` to `close`."""

    def __init__(self, app: web.Application, listen: socket.socket) -> None:
        self._runner = web.AppRunner(app, access_log=None)
        self._listen = listen
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._connection(loop), sock=self._listen, backlog=BACKLOG)

    def _connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        manager: Any = self._runner.server
        return Connection(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own word for none
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            keepalive_timeout=IDLE_S,
        )

    async def close(self) -> None:
        """What is under way ends first."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
