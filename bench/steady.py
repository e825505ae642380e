"""A client that asks at a steady rate and reads every answer: `python -m bench.steady`, a plan as JSON on stdin.

Request k is due at start + k/rate and its latency counts from then, on whichever connection is free. An answer whose
body is not the expected one is wrong, one that does not come within `timeout_s` is lost. As a bystander it asks in the
same way and looks at nothing: it pulls from a candidate what a mirror would pull.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import cast

_RECONNECT_S = 0.05


@dataclass(frozen=True, slots=True)
class Steady:
    """`warmup_s` is asked for and not counted. `expected`: the body that every answer has; None: nothing is looked at,

    and an answer is cut off at `most` bytes, as a mirror's `answer_up_to` does.
    """

    port: int
    rate_per_s: float
    window_s: float
    warmup_s: float = 1.0
    connections: int = 32
    body_bytes: int = 1024
    timeout_s: float = 10.0
    expected: str | None = None
    most: int = 16 << 20
    tls: bool = False


class Connection(asyncio.Protocol):
    def __init__(self, client: Client) -> None:
        self.client = client
        self.transport = cast(asyncio.Transport, None)
        self.due = 0.0  # of the request that is under way, 0 where none is
        self._data = bytearray()
        self._size = 0
        self._length = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.client.free.append(self)

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self._data.clear()
        self._size, self._length = 0, -1
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._length < 0 or self.client.expected is not None:
            self._data += data
        if self._length < 0:
            head, found, _ = bytes(self._data).partition(b"\r\n\r\n")
            if not found:
                return
            length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._length = len(head) + 4 + (int(length) if length else 1 << 60)
        if self._size >= self._length:
            self.client.answered(self, bytes(self._data))
        elif self._size >= self.client.plan.most:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.lost(self)


class Client:
    def __init__(self, plan: Steady) -> None:
        self.plan = plan
        self.loop = asyncio.get_running_loop()
        self.free: deque[Connection] = deque()
        self.expected = None if plan.expected is None else plan.expected.encode()
        self.latencies: list[float] = []
        self.faults: Counter[str] = Counter()
        self.offered = 0
        self._busy: set[Connection] = set()
        self._waiting: deque[float] = deque()
        self._counts_from = 0.0
        self._connecting: set[asyncio.Task[None]] = set()
        self._closing = False
        body = b"x" * plan.body_bytes
        host = b"127.0.0.1:%d" % plan.port
        self._request = b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n" % (
            host,
            len(body),
        )
        self._request += body
        self._tls: ssl.SSLContext | None = None
        if plan.tls:
            self._tls = ssl.create_default_context()
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE

    async def run(self) -> dict[str, object]:
        plan = self.plan
        for _ in range(plan.connections):
            self._connect_soon()
        await asyncio.sleep(0.1)
        start = time.monotonic() + 0.05
        self._counts_from = start + plan.warmup_s
        end = self._counts_from + plan.window_s
        number = 0
        while (due := start + number / plan.rate_per_s) < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            number += 1
            self.offered += due >= self._counts_from
            self._waiting.append(due)
            self._dispatch()
            self._give_up(time.monotonic() - plan.timeout_s)
        deadline = time.monotonic() + (plan.timeout_s if self.expected is not None else 0.0)
        while (self._waiting or self._busy) and time.monotonic() < deadline:  # noqa: ASYNC110 - one look in 10 ms
            await asyncio.sleep(0.01)
        self._closing = True
        self._give_up(float("inf"))
        for task in self._connecting:
            task.cancel()
        ordered = sorted(self.latencies)
        return {
            "offered": self.offered,
            "answered": len(ordered),
            "faults": dict(self.faults),
            "latency_ms": {f"p{share}": _quantile_ms(ordered, share / 100) for share in (50, 99)},
        }

    def _dispatch(self) -> None:
        while self._waiting and self.free:
            connection = self.free.popleft()
            if not connection.transport.is_closing():
                self._busy.add(connection)
                connection.ask(self._request, self._waiting.popleft())

    def _give_up(self, before: float) -> None:
        for connection in [one for one in self._busy if one.due < before]:
            self._count(connection.due, "lost")
            connection.due = 0.0
            self._busy.discard(connection)
            connection.transport.abort()
        while self._waiting and self._waiting[0] < before:
            self._count(self._waiting.popleft(), "lost")

    def _count(self, due: float, fault: str) -> None:
        self.faults[fault] += due >= self._counts_from

    def answered(self, connection: Connection, data: bytes) -> None:
        due, connection.due = connection.due, 0.0
        self._busy.discard(connection)
        if self.expected is not None:
            status, _, rest = data.partition(b"\r\n")
            if status != b"HTTP/1.1 200 OK":
                self._count(due, status[9:12].decode("latin-1"))
            elif rest.partition(b"\r\n\r\n")[2] != self.expected:
                self._count(due, "wrong")
            elif due >= self._counts_from:
                self.latencies.append(time.monotonic() - due)
        self.free.append(connection)
        self._dispatch()

    def lost(self, connection: Connection) -> None:
        if connection in self._busy:
            self._busy.discard(connection)
            self._count(connection.due, "closed")
        if not self._closing:
            self._connect_soon()

    def _connect_soon(self) -> None:
        task = self.loop.create_task(self._connect(), name="steady.connect")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self) -> None:
        while not self._closing:
            try:
                await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port, ssl=self._tls)
            except OSError:
                await asyncio.sleep(_RECONNECT_S)
            else:
                return


def _quantile_ms(ordered: list[float], share: float) -> float | None:
    """The nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3 if ordered else None


def encode(plan: Steady) -> bytes:
    return json.dumps(asdict(plan)).encode()


async def _ask(plan: Steady) -> dict[str, object]:
    return await Client(plan).run()


def main() -> None:
    print(json.dumps(asyncio.run(_ask(Steady(**json.loads(sys.stdin.buffer.read()))))), flush=True)


if __name__ == "__main__":
    main()
