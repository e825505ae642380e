"""Graphite, against a scripted server and a real carbon-cache: what is away is waited for, within a limit."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shadowproxy.admin.push.graphite import GraphitePush
from shadowproxy.admin.push.pusher import Pusher
from shadowproxy.admin.push.samples import Sample
from shadowproxy.settings.snapshot import Graphite, Metrics
from tests.admin.push.readings import reading, samples
from tests.support.carbon import Carbon

LABELS = (("candidate", "v2"), ("gate", "slower_share{by=25%}"))


class Server:
    """Takes lines, and can hang up."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.changed = asyncio.Condition()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        while line := await reader.readline():
            async with self.changed:
                self.lines.append(line.decode().rstrip("\n"))
                self.changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(true)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)


@pytest.fixture
async def server() -> Server:
    made = Server()
    await made.open()
    return made


def push_to(server: Server, **more: object) -> GraphitePush:
    push = GraphitePush(Graphite(to=f"127.0.0.1:{server.port}", **more), pause_s=0.01)  # type: ignore[arg-type]
    push.start()
    return push


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        (False, "shadowproxy.gate_low.v2.slower_share_by_25_ 0.125 1700000000"),
        (True, "shadowproxy.gate_low;candidate=v2;gate=slower_share{by_25%} 0.125 1700000000"),
    ],
)
async def test_a_sample_s_line(server: Server, tags: bool, line: str) -> None:
    push = push_to(server, tags=tags)
    await push.push([(Sample("gate_low", LABELS, 0.125, False), 0.0)], 1_700_000_000.9)
    await server.until(lambda: bool(server.lines))
    assert server.lines == [line]
    await push.close()
    await server.close()


async def test_what_is_pushed_while_nobody_is_there_comes_when_somebody_is(server: Server) -> None:
    await server.close()
    push = push_to(server)
    for at in range(3):
        await push.push(samples(2), float(at))
    await asyncio.sleep(0.05)
    await server.open()
    await server.until(lambda: len(server.lines) == 6)
    assert [line.split()[-1] for line in server.lines] == ["0", "0", "1", "1", "2", "2"]
    assert push.dropped == 0
    await push.close()
    await server.close()


async def test_the_last_batch_is_sent_again_when_the_connection_broke(server: Server) -> None:
    push = push_to(server)
    await push.push(samples(1), 1.0)
    await server.until(lambda: len(server.lines) == 1)
    await server.close()
    await server.open()
    await push.push(samples(1), 2.0)
    await server.until(lambda: len(server.lines) == 3)
    assert [line.split()[-1] for line in server.lines] == ["1", "1", "2"]
    assert server.connections == 2
    await push.close()
    await server.close()


async def test_the_buffer_has_a_limit_and_the_oldest_go_first(server: Server) -> None:
    await server.close()
    line = len("shadowproxy.requests_total.r0000.200 1 0\n")
    push = push_to(server, buffer=25 * line)
    for at in range(5):
        await push.push(samples(10), float(at))
    assert push.dropped == 30
    await server.open()
    await server.until(lambda: len(server.lines) == 20)
    assert {line.split()[-1] for line in server.lines} == {"3", "4"}
    await push.close()
    await server.close()


async def test_pushing_never_waits_for_a_server_that_takes_nothing() -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        push = GraphitePush(Graphite(to=f"127.0.0.1:{deaf.getsockname()[1]}", buffer=1 << 20), pause_s=0.01)
        push.start()
        many = samples(1000)
        async with asyncio.timeout(60):
            for at in range(200):
                await push.push(many, float(at))
                await asyncio.sleep(0)
        assert push.dropped > 0
        await push.close()


async def eventually(true: Callable[[], bool], what: str, act: Callable[[], Awaitable[None]] | None = None) -> None:
    for _ in range(1200):
        if await asyncio.to_thread(true):
            return
        if act is not None:
            await act()
        await asyncio.sleep(0.05)
    raise AssertionError(what)


async def test_a_real_carbon_writes_what_it_is_sent_also_after_it_was_away(tmp_path: Path) -> None:
    series = 'requests_total{route="predict",code="200"}'
    carbon = Carbon(tmp_path / "carbon")
    settings = Metrics(every=0.0, graphite=Graphite(to=f"127.0.0.1:{carbon.port}"))
    clock = time.time
    durations = {"overhead_seconds": [[0.005, 0.01], [90, 10, 0], 0.3]}
    pusher = Pusher()

    async def look(total: float) -> None:
        await pusher.look(reading({series: total}, durations, at=clock(), metrics=settings))

    with carbon:
        await look(7.0)
        path = "shadowproxy.requests_total.predict.200"
        await eventually(lambda: carbon.value(path) == 7, "the first value")
        await eventually(lambda: carbon.value("shadowproxy.overhead_seconds_count") == 100, "a duration's count")
        assert carbon.value("shadowproxy.overhead_seconds_sum") == pytest.approx(0.3)
        assert carbon.value("shadowproxy.overhead_seconds_p50") == pytest.approx(0.005 * 50 / 90)
        assert carbon.value("shadowproxy.sample_ratio.v2") == 0.5
        assert carbon.value("shadowproxy.build_info.0_1_0") == 1
        carbon.stop()
        await look(8.0)
        carbon.start()
        await eventually(lambda: carbon.value(path) == 8, "the value of when it was away")
    await pusher.close()
    assert pusher.counters()['push_dropped_total{to="graphite"}'] == 0
