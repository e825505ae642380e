"""A model for large bodies: takes a whole request, however long, and answers {}; a GET of /down is answered 10 MB."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

BYTES = 10_000_000
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BYTES + b"a" * BYTES


class _Bulk(asyncio.Protocol):
    def __init__(self) -> None:
        self._head = b""
        self._owed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._owed:
            self._owed -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            self._owed = (int(length[1]) if length else 0) - len(body)
        if not self._owed:
            self._transport.write(_LARGE if self._head.startswith(b"GET /down") else _SMALL)
            self._head = b""


def command(port: int) -> list[str]:
    return [sys.executable, "-m", "bench.bulk", str(port)]


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Bulk, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
