"""A worker without sockets: transports that only remember, a clock that moves when told to, upstreams by hand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from shadowproxy.core.ledger import broken_laws
from shadowproxy.core.outcome import LOGGED
from shadowproxy.proxy import downstream, exchange, leg, mirror, pool, production, reads, worker
from shadowproxy.proxy.downstream import Downstream
from shadowproxy.proxy.pool import Pool
from shadowproxy.proxy.recording import Pair
from shadowproxy.proxy.timers import TICK_NS, Timers
from shadowproxy.proxy.upstream import UpstreamConnection
from shadowproxy.proxy.worker import Worker
from shadowproxy.settings import snapshot as s
from shadowproxy.wire import frames

PEER = ("192.0.2.7", 5000)


class Clock:
    """ns; `sleep` sweeps as the worker would, tick by tick."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000
        self.timers: Timers | None = None

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        end = self.now + round(seconds * 1e9)
        while self.now < end:
            self.now = min(end, self.now + TICK_NS)
            if self.timers is not None:
                self.timers.sweep()


class FakeTransport:
    """Behaves like uvloop's where that matters: it pauses its protocol within a write, and is lost a turn after it."""

    def __init__(self, protocol: Any, *, tls: bool = False) -> None:
        self.protocol = protocol
        self.ours, self.theirs = socket.socketpair()
        self.written = bytearray()
        self.buffered = 0
        self.peer_reads = True
        self.high = 64 << 10
        self.is_paused = self.is_full = False
        self.closing = self.aborted = self.lost = self.eof_written = False
        self._tls = tls
        protocol.connection_made(self)

    # -- as the protocol sees it -----------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray) -> None:
        if self.lost:
            raise RuntimeError("the handler is closed")
        assert not self.eof_written, "written after write_eof"
        if self.closing:
            return
        self.written += data
        if not self.peer_reads:
            self.buffered += len(data)
        if self.buffered > self.high and not self.is_full:
            self.is_full = True
            self.protocol.pause_writing()

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return not self._tls

    def write_eof(self) -> None:
        self.eof_written = True

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_reading(self) -> bool:
        return not self.is_paused

    def close(self) -> None:
        self.closing = True
        if not self.buffered:
            self._lose_soon()

    def abort(self) -> None:
        self.closing = self.aborted = True
        self.buffered = 0
        self._lose_soon()

    def _lose_soon(self) -> None:
        with suppress(RuntimeError):  # without a loop the test itself says when the connection is lost
            asyncio.get_running_loop().call_soon(self.lose)

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self.ours, "peername": PEER, "ssl_object": self if self._tls else None}.get(name)

    # -- as the peer does --------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        assert not self.is_paused, "nothing is delivered while reading is paused"
        assert not self.lost
        if isinstance(self.protocol, asyncio.BufferedProtocol):
            size = len(data)
            self.protocol.get_buffer(-1)[:size] = data
            self.protocol.buffer_updated(size)
        else:
            self.protocol.data_received(data)

    def read_all(self) -> None:
        """The peer reads what had been written."""
        self.read(self.buffered)

    def read(self, size: int) -> None:
        self.buffered -= size
        if self.is_full and self.buffered <= self.high // 4:
            self.is_full = False
            self.protocol.resume_writing()
        if self.closing and not self.buffered:
            self._lose_soon()

    def eof(self) -> None:
        if not self.protocol.eof_received():
            self.close()

    def lose(self, exc: Exception | None = None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(exc)
            self.hang_up()

    def hang_up(self) -> None:
        self.ours.close()
        self.theirs.close()


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Dial:
    """One attempt to connect; it ends when the test says how."""

    def __init__(self, connection: UpstreamConnection) -> None:
        self.connection = connection
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: FakeTransport | None = None

    async def made(self, *, peer_reads: bool = True) -> FakeTransport:
        self.transport = FakeTransport(self.connection)
        self.transport.peer_reads = peer_reads
        self.answer.set_result(None)
        await turns()
        return self.transport

    async def failed(self, error: BaseException | None = None) -> None:
        self.answer.set_exception(error or ConnectionRefusedError(111, "Connection refused"))
        await turns()


class Upstream:
    """The other side of a pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.dials: list[Dial] = []
        pool._open = self._open  # type: ignore[method-assign]

    async def _open(self, connection: UpstreamConnection) -> None:
        dial = Dial(connection)
        self.dials.append(dial)
        await dial.answer

    def idle(self) -> FakeTransport:
        """A connection that waits in the pool, used once."""
        connection = self.pool._factory(self.pool)
        self.pool.open += 1
        transport = FakeTransport(connection)
        connection.born_ns = production.perf_counter_ns()
        connection.uses = 1
        self.pool.give_back(connection, production.perf_counter_ns())
        return transport

    async def accept(self, *, peer_reads: bool = True) -> FakeTransport:
        """The one connection that is being made."""
        (dial,) = [dial for dial in self.dials if not dial.answer.done()]
        return await dial.made(peer_reads=peer_reads)


class FakeRecorder:
    """Takes what it is offered and says that it is logged."""

    is_behind = False

    def __init__(self) -> None:
        self.pairs: list[frames.Pair] = []
        self._seq = 0

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def offer(self, seq: int, generation: int, buffers: list[Any], cost: int, fates: list[Any]) -> bool:
        (frame,) = frames.Decoder().feed(b"".join(buffers))
        assert (frame.kind, frame.seq, cost) == (frames.PAIR, seq, frames.HEAD_BYTES + len(frame.payload))
        self.pairs.append(frames.unpack_pair(frame.payload))
        for row, outcome in fates:
            row.finish(outcome, LOGGED)
        return True

    def settle(self, pair: Pair) -> None:
        pair.pack()

    def send_ledger(self, rows: bytes) -> None:
        pass

    def generations(self) -> set[int]:
        return set()


class Client:
    def __init__(self, worker: Worker, *, tls: bool = False) -> None:
        self.protocol = Downstream(worker)
        self.transport = FakeTransport(self.protocol, tls=tls)

    def send(self, data: bytes) -> None:
        self.transport.receive(data)

    @property
    def got(self) -> bytes:
        return bytes(self.transport.written)

    def take(self) -> bytes:
        data = self.got
        self.transport.written.clear()
        return data


class World:
    def __init__(self, snapshot: s.Snapshot, clock: Clock) -> None:
        self.clock = clock
        self.worker = Worker(0, 1, "/nowhere", asyncio.get_running_loop())
        self.worker.timers = clock.timers = Timers(clock)
        self.worker.configure(s.encode(snapshot))
        self.recorder = FakeRecorder()
        self.worker.recording = self.recorder  # type: ignore[assignment]
        runtime = self.worker.runtime
        self.productions = [Upstream(endpoint.pool) for endpoint in runtime.production.endpoints]
        self.mirrors = {name: Upstream(one.pool) for name, one in runtime.mirrors.items()}

    @property
    def production(self) -> Upstream:
        (one,) = self.productions
        return one

    def client(self, *, tls: bool = False) -> Client:
        return Client(self.worker, tls=tls)

    def row(self, candidate: str, route: str | None = "default") -> dict[str, Any]:
        """What a ledger row counts, without its zeros."""
        (line,) = [
            line
            for line in self.worker.ledger.lines()
            if line["candidate"] == candidate and line["route"] == route and line["requests"] + line["unmatched"]
        ] or [{}]
        return {key: value for key, value in line.items() if value and key not in ("trial", "candidate", "route")}

    def assert_at_rest(self) -> None:
        """What every test owes at its end: all bytes given back, the laws kept, nothing in flight."""
        assert self.worker.budget.held == 0
        for line in self.worker.ledger.lines():
            assert broken_laws(line) == []
            assert line["in_flight"] == 0
        assert all(one.in_flight == 0 for one in self.worker.runtime.mirrors.values())


def candidate(name: str = "v2", **settings: Any) -> s.Candidate:
    return s.Candidate(name=name, url=f"http://{name}.test", trial=f"{name}-0", **settings)


def configuration(*candidates: s.Candidate, urls: tuple[str, ...] = ("http://v1.test",), **settings: Any) -> s.Snapshot:
    settings.setdefault("production", s.Production(urls=urls))
    settings.setdefault("statistics", s.Statistics(warmup=0.0))
    return s.Snapshot(candidates=candidates, pairs=s.Pairs(dir="/nowhere"), **settings)


@contextmanager
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Every module of the data plane reads this clock."""
    clock = Clock()
    for module in (downstream, exchange, leg, mirror, pool, production, reads, worker):
        monkeypatch.setattr(module, "perf_counter_ns", clock)
    yield clock


Make = Callable[..., World]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(size: int) -> bytes:
    return b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size


def answer(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


def begun(world: World, request: bytes = POST) -> tuple[FakeTransport, FakeTransport, Client]:
    """A request that production and the candidate have received."""
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(request)
    assert mirror.written
    return upstream, mirror, client


def the_copy(world: World) -> frames.Exchange:
    """What the recorder got to know of the one copy."""
    ((_, found),) = [pair.exchanges for pair in world.recorder.pairs]
    return found
