"""Both ends of event streams: a model that sends stamped events, and clients that tell how old they are on arrival.

    python -m bench.events serve PORT GAP_MS EVENTS
    python -m bench.events listen PORT STREAMS SECONDS

Each event carries the sender's clock, which on one machine is the receiver's too. Listeners open a stream each, ask
again when it ends, and print `begin`, `end` and a line of JSON as bench.offer does; streams begin spread over one gap.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from typing import cast

import uvloop

from shadowproxy.bench.histogram import Histogram

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_REQUEST = (
    b"POST /v1/completions HTTP/1.1\r\nHost: model\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
)
_BODY = b'{"stream":true}'
_MARK = b"data: {"
_PADDING = "x" * 60  # an event of an LLM's server is some 100 bytes long
_WARMUP_S = 1.0


class _Model(asyncio.Protocol):
    def __init__(self, gap_s: float, events: int) -> None:
        self._gap_s = gap_s
        self._events = events
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(_BODY):
            self._transport.write(_HEAD)
            self._at = self._loop.time()
            self._next(self._events)

    def _next(self, left: int) -> None:
        if self._transport.is_closing():
            return
        if not left:
            self._transport.write(b"0\r\n\r\n")
            return
        event = b'data: {"at":%d,"text":"%b"}\n\n' % (time.monotonic_ns(), _PADDING.encode())
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self._at += self._gap_s
        self._loop.call_at(self._at, self._next, left - 1)


class _Listener(asyncio.Protocol):
    def __init__(self, ages: array[int]) -> None:
        self._ages = ages
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self._transport.write(_REQUEST + _BODY)

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        *events, self._tail = (self._tail + data).split(b"\n\n")
        for event in events:
            at = event.rfind(_MARK)
            if at >= 0:
                self._ages.append(now_ns - int(event[at + 12 : event.index(b",", at)]))
        if self._tail.endswith(b"\r\n0\r\n\r\n"):
            self._tail = b""
            self.ask()


async def serve(port: int, gap_ms: float, events: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Model(gap_ms / 1e3, events), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def listen(port: int, streams: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    ages: array[int] = array("q")
    transports = []
    for _ in range(streams):
        transport, _listener = await loop.create_connection(lambda: _Listener(ages), "127.0.0.1", port)
        transports.append(transport)
        # Spread: streams that all began at once would all send at once.
        await asyncio.sleep(0.2 / streams)
    await asyncio.sleep(_WARMUP_S)
    del ages[:]
    print("begin", flush=True)
    await asyncio.sleep(seconds)
    histogram = Histogram()
    histogram.add(ages)
    print("end", flush=True)
    ended = sum(transport.is_closing() for transport in transports)
    p50, p99 = histogram.quantiles_ms((0.5, 0.99))
    print(json.dumps({"events": histogram.count, "ended": ended, "p50_ms": p50, "p99_ms": p99}), flush=True)


def main() -> None:
    role, port, first, second = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(port, first, int(second)) if role == "serve" else listen(port, int(first), second))


if __name__ == "__main__":
    main()
