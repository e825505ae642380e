"""A model that takes its time: each answer after the next of a fixed set of delays, evenly spread over 4 to 12 ms."""

from __future__ import annotations

import asyncio
import sys
from itertools import cycle
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
# 97 delays, shuffled by the multiplication. wrk adds made-up latencies for every one above twice the mean (its
# correction for coordinated omission); here none is, so that its percentiles are those of what it saw.
DELAYS_S = tuple(0.004 + 0.008 * (k * 31 % 97) / 96 for k in range(97))


class _Delaying(asyncio.Protocol):
    def __init__(self, delays: cycle[float]) -> None:
        self._delays = delays
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        # One request at a time on each connection, without a body.
        self._loop.call_later(next(self._delays), self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


def command(port: int) -> list[str]:
    return [sys.executable, "-m", "bench.delaying", str(port)]


async def _serve(port: int) -> None:
    delays = cycle(DELAYS_S)
    server = await asyncio.get_running_loop().create_server(lambda: _Delaying(delays), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
