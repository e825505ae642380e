from __future__ import annotations

import asyncio
import gc
import os
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import uvloop

from shadowproxy.core import outcome as o
from shadowproxy.proxy import tls
from shadowproxy.proxy.timers import SECOND_NS
from shadowproxy.proxy.worker import MAX_SNAPSHOTS, Worker
from shadowproxy.settings import snapshot as s
from tests.proxy.world import GET, OK, POST, Make, answer, candidate, configuration, turns
from tests.support.certificates import Authority


def again(snapshot: s.Snapshot, generation: int, **changes: object) -> bytes:
    return s.encode(msgspec.structs.replace(snapshot, generation=generation, **changes))


# -- configuration


async def test_a_prepared_snapshot_takes_effect_when_it_is_committed(make: Make) -> None:
    snapshot = configuration(candidate())
    world = make(snapshot)
    before = world.worker.runtime
    world.worker.prepare(again(snapshot, 2, via="other"))
    assert world.worker.runtime is before
    world.worker.commit(2)
    assert world.worker.runtime.snapshot.via == "other"


@pytest.mark.parametrize("end", ["abort", "another", "nothing"])
async def test_what_was_not_prepared_is_not_committed(make: Make, end: str) -> None:
    snapshot = configuration()
    world = make(snapshot)
    if end != "nothing":
        world.worker.prepare(again(snapshot, 2))
    if end == "abort":
        world.worker.abort(2)
        world.worker.commit(2)
    else:
        world.worker.commit(3)
    assert world.worker.runtime.generation == 1


async def test_an_abort_of_another_generation_means_nothing(make: Make) -> None:
    snapshot = configuration()
    world = make(snapshot)
    world.worker.prepare(again(snapshot, 2))
    world.worker.abort(1)
    world.worker.commit(2)
    assert world.worker.runtime.generation == 2


async def test_a_certificate_that_cannot_be_read_fails_the_preparation(make: Make, tmp_path: Path) -> None:
    snapshot = configuration()
    world = make(snapshot)
    missing = s.DownstreamTls(certificate=str(tmp_path / "none.pem"), key=str(tmp_path / "none.key"))
    with pytest.raises(FileNotFoundError):
        world.worker.prepare(again(snapshot, 2, tls=missing))
    world.worker.commit(2)
    assert world.worker.runtime.generation == 1


async def test_connections_and_breakers_outlive_a_reload_that_does_not_concern_them(make: Make) -> None:
    snapshot = configuration(candidate())
    world = make(snapshot)
    upstream, mirror = world.production.idle(), world.mirrors["v2"].idle()
    before = world.worker.runtime
    world.worker.prepare(again(snapshot, 2, candidates=(candidate(sample=0.5, max_in_flight=7),)))
    world.worker.commit(2)
    after = world.worker.runtime
    assert after.production is before.production
    assert after.mirrors["v2"] is before.mirrors["v2"]
    assert after.mirrors["v2"].max_in_flight == 7
    assert not upstream.closing
    assert not mirror.closing


@pytest.mark.parametrize(
    "changed",
    [
        {"urls": ("http://other.test",)},
        {"connections": 7},
        {"keep_alive": 1.0},
        {"max_age": 10.0},
        {"timeouts": s.Timeouts(connect=3.0)},
        {"tls": s.UpstreamTls(verify=False)},
    ],
)
async def test_another_production_has_connections_of_its_own(make: Make, changed: dict[str, object]) -> None:
    snapshot = configuration()
    world = make(snapshot)
    upstream = world.production.idle()
    before = world.worker.runtime.production
    world.worker.prepare(again(snapshot, 2, production=msgspec.structs.replace(snapshot.production, **changed)))
    world.worker.commit(2)
    assert world.worker.runtime.production is not before
    await turns()
    assert upstream.lost


async def test_a_request_ends_with_the_configuration_that_it_began_with(make: Make) -> None:
    snapshot = configuration(candidate())
    world = make(snapshot)
    client = world.client()
    client.send(POST)  # production is being connected
    await turns()
    production = s.Production(urls=("http://other.test",))
    world.worker.prepare(again(snapshot, 2, production=production, candidates=()))
    world.worker.commit(2)
    upstream = await world.production.accept()
    upstream.receive(OK)
    assert client.got == OK
    mirror = await world.mirrors["v2"].accept()
    mirror.receive(OK)
    (pair,) = world.recorder.pairs
    assert pair.generation == 1
    await turns()
    assert upstream.lost  # its pool is closed
    assert mirror.lost
    assert world.worker.budget.held == 0


async def test_the_snapshot_of_a_request_in_flight_is_kept(make: Make) -> None:
    """Its pair will name it, however many reloads lie between."""
    snapshot = configuration(candidate())
    world = make(snapshot)
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    known = world.worker._snapshots
    for generation in range(2, 2 * MAX_SNAPSHOTS):
        world.worker.prepare(again(snapshot, generation))
        world.worker.commit(generation)
    assert 1 in known
    assert len(known) <= MAX_SNAPSHOTS + 1
    upstream.receive(OK)
    client.transport.lose()
    await turns()
    for generation in range(20, 23):
        world.worker.prepare(again(snapshot, generation))
        world.worker.commit(generation)
    assert 1 not in known
    assert len(known) <= MAX_SNAPSHOTS


async def test_a_stream_outlives_seven_reloads_and_not_eight(make: Make) -> None:
    snapshot = configuration()
    world = make(snapshot)
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    for generation in range(2, MAX_SNAPSHOTS + 1):
        world.worker.prepare(again(snapshot, generation))
        world.worker.commit(generation)
    assert not client.transport.closing
    world.worker.prepare(again(snapshot, MAX_SNAPSHOTS + 1))
    world.worker.commit(MAX_SNAPSHOTS + 1)
    assert client.transport.closing
    assert not client.got.endswith(b"0\r\n\r\n"), "a cut stream must not look whole"
    assert upstream.aborted


# -- shedding and counting


async def test_a_late_sweep_lets_the_sockets_be_read_before_anything_expires(make: Make) -> None:
    world = make(configuration(limits=s.Limits(keep_alive=1.0)))
    idle, speaking = world.client(), world.client()
    world.clock.now += 5 * SECOND_NS
    world.worker._sweep()
    await turns()
    assert not idle.transport.closing
    speaking.send(GET)  # had come meanwhile
    await asyncio.sleep(0.01)
    assert world.worker._timer is not None
    world.worker._timer.cancel()
    assert idle.transport.closing
    assert not speaking.transport.closing


@pytest.mark.parametrize("shed", [True, False])
async def test_copies_are_shed_when_two_sweeps_running_were_late(make: Make, shed: bool) -> None:
    world = make(configuration(candidate(), mirror=s.Mirror(shed=shed)))
    worker = world.worker
    lags = []
    for late_s in (0.3, 0.3, 0.1):
        world.clock.now += round(late_s * 1e9)
        worker._sweep()
        lags.append(worker.shedding())
    assert worker._timer is not None
    worker._timer.cancel()
    assert lags == [0, o.OVERLOAD if shed else 0, 0]


async def test_copies_are_shed_while_the_recorder_is_behind(make: Make) -> None:
    world = make(configuration(candidate()))
    world.recorder.is_behind = True
    assert world.worker.shedding() == o.RECORDER_BEHIND


async def test_what_is_counted_is_what_metrics_and_the_ledger_show(make: Make) -> None:
    world = make(configuration(candidate()))
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    world.clock.now += 3_000_000
    upstream.receive(OK)
    mirror.receive(OK)
    client.send(b"nonsense\r\n\r\n")
    other = world.client()
    other.send(POST)
    stats = world.worker.stats()
    assert stats.counters['requests_total{route="default",code="200"}'] == 1
    assert stats.counters['requests_total{route="",code="400"}'] == 1
    assert stats.counters['mirrored_total{candidate="v2",outcome="complete"}'] == 1
    assert stats.gauges['mirror_in_flight{candidate="v2"}'] == 1
    assert stats.gauges["connections"] == 2
    assert stats.gauges["mirror_buffered_bytes"] == world.worker.budget.held > 0
    bounds, counts, total = stats.histograms['upstream_duration_seconds{upstream="production",role="production"}']
    assert total == 0.003
    assert counts[bounds.index(0.005)] == sum(counts) == 1
    assert [line["sent"] for line in stats.ledger if line["route"] == "default"] == [2]


async def test_what_a_configuration_takes_away_stays_counted(make: Make) -> None:
    snapshot = configuration(candidate())
    world = make(snapshot)
    upstream, mirror, client = world.production.idle(), world.mirrors["v2"].idle(), world.client()
    client.send(POST)
    upstream.receive(OK)
    world.worker.prepare(again(snapshot, 2, candidates=(), production=s.Production(urls=("http://other:1",))))
    world.worker.commit(2)
    mirror.receive(OK)
    stats = world.worker.stats()
    assert stats.counters['mirrored_total{candidate="v2",outcome="complete"}'] == 1
    assert sum(stats.histograms['upstream_duration_seconds{upstream="production",role="production"}'][1]) == 1
    assert not [key for key in stats.gauges if "v2" in key]


async def test_unlogged_pairs_are_counted_by_reason_and_those_of_the_twin_are_none(make: Make) -> None:
    world = make(configuration(candidate(), twin=candidate("twin")))
    for row in (
        entry.row for entry in (*world.worker.runtime.routes[0].candidates, world.worker.runtime.routes[0].twin)
    ):
        row.sent += 1
        row.finish(o.COMPLETE, o.DISK)
    assert world.worker.stats().counters['pairs_unlogged_total{reason="disk"}'] == 1


async def test_a_breaker_that_is_not_closed_is_shown(make: Make) -> None:
    world = make(configuration(candidate(breaker=s.Breaker(failures=1))))
    assert world.worker.stats().gauges['breaker_open{candidate="v2"}'] == 0
    world.worker.runtime.mirrors["v2"].judge(o.RESET)
    assert world.worker.stats().gauges['breaker_open{candidate="v2"}'] == 1


async def test_a_client_too_many_is_told_so_and_counted(make: Make) -> None:
    world = make(configuration(limits=s.Limits(connections=2)))
    clients = [world.client() for _ in range(3)]
    assert [client.got[:12] for client in clients] == [b"", b"", b"HTTP/1.1 503"]
    assert b"X-Shadowproxy-Error: client_limit\r\n" in clients[2].got
    assert world.worker.stats().counters['requests_total{route="",code="503"}'] == 1
    clients[0].transport.lose()
    clients[2].transport.lose()
    assert world.client().got == b""


# -- the end, with sockets


def under_uvloop(body: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await body()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


class Serving:
    """A worker that serves a real socket in front of a real upstream that answers as `upstream` says."""

    def __init__(
        self,
        upstream: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        tls: s.DownstreamTls | None = None,
    ) -> None:
        self._tls = tls
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._threshold = gc.get_threshold()
        self.listening = socket.create_server(("127.0.0.1", 0))

    async def __aenter__(self) -> Serving:
        self._server = await asyncio.start_server(self._upstream, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.worker = Worker(0, 1, "/nowhere", asyncio.get_running_loop())
        self.snapshot = configuration(urls=(f"http://{host}:{port}",), tls=self._tls)
        self.worker.configure(s.encode(self.snapshot))
        await self.worker.serve([os.dup(self.listening.fileno())])
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._server is not None
        self._server.close()
        self.listening.close()
        gc.unfreeze()
        gc.set_threshold(*self._threshold)

    def client(self, request: bytes) -> socket.socket:
        """A client that has connected and written before the loop takes another turn."""
        sock = socket.create_connection(self.listening.getsockname())
        sock.sendall(request)
        sock.setblocking(False)
        return sock

    async def read(self, sock: socket.socket) -> bytes:
        got = b""
        async with asyncio.timeout(60):
            while piece := await asyncio.get_running_loop().sock_recv(sock, 65536):
                got += piece
        sock.close()
        return got


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while (await reader.readline()).strip():
        pass
    writer.write(OK)
    await writer.drain()
    writer.close()


def test_connections_that_came_over_sockets_leave_no_garbage() -> None:
    """What ended is freed by reference counting; the event loop's part in it is no fake here."""

    async def ask(serving: Serving, sent: bytes) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, serving.listening.getsockname())
            await loop.sock_sendall(sock, sent)
            if sent == GET:
                assert (await loop.sock_recv(sock, 65536)).startswith(b"HTTP/1.1 200")

    async def all_ended(serving: Serving) -> None:
        async with asyncio.timeout(10):
            while serving.worker.connections or serving.worker.timers._slots:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def body() -> None:
        async with Serving(_ok) as serving:
            for sent in (b"", GET[:20], GET):
                await ask(serving, sent)
            await all_ended(serving)
            gc.unfreeze()
            gc.collect()
            gc.disable()
            try:
                for sent in (b"", GET[:20], GET) * 40:
                    await ask(serving, sent)
                await all_ended(serving)
                assert gc.collect() < 20
            finally:
                gc.enable()
            await serving.worker.drain(0.0, 0.0)

    under_uvloop(body)


def test_the_last_clients_in_the_queue_are_answered() -> None:
    async def body() -> None:
        async with Serving(_ok) as serving:
            socks = [serving.client(GET) for _ in range(5)]
            await serving.worker.drain(0.0, 5.0)
            for sock in socks:
                got = await serving.read(sock)
                assert got.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"\r\nConnection: close\r\n" in got

    under_uvloop(body)


def test_a_drain_ends_idle_connections_and_waits_for_busy_ones() -> None:
    async def body() -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await go_on.wait()
            await _ok(reader, writer)

        async with Serving(slow) as serving:
            idle, busy = serving.client(b""), serving.client(GET)
            await asked.wait()
            for connection in serving.worker.connections:
                connection._born_ns -= 2 * SECOND_NS  # one that is young may still send a request
            task = asyncio.create_task(serving.worker.drain(0.0, 5.0))
            assert await serving.read(idle) == b""
            assert not task.done()
            go_on.set()
            assert (await serving.read(busy)).startswith(b"HTTP/1.1 200 OK\r\n")
            await task
            assert serving.worker.connections == set()

    under_uvloop(body)


def test_who_is_connected_to_a_worker_that_was_succeeded_may_ask_once_more() -> None:
    """A request that crosses the end of its idle connection would be lost; who comes anew is the successor's."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        async with Serving(_ok) as serving:
            kept = serving.client(GET)
            assert (await loop.sock_recv(kept, 65536)).startswith(b"HTTP/1.1 200 OK\r\n")
            task = asyncio.create_task(serving.worker.drain(0.5, 5.0))
            await asyncio.sleep(0)
            fresh = serving.client(GET)
            await loop.sock_sendall(kept, GET)
            got = await serving.read(kept)
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nConnection: close\r\n" in got
            await task
            with pytest.raises(BlockingIOError):
                fresh.recv(1)
            fresh.close()

    under_uvloop(body)


def test_a_drain_ends_when_its_time_is_up() -> None:
    async def body() -> None:
        asked, ended = asyncio.Event(), asyncio.Event()

        async def hung(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await reader.read()
            while await reader.read(1):
                pass
            ended.set()
            writer.close()

        async with Serving(hung) as serving:
            sock = serving.client(GET)
            await asked.wait()
            await serving.worker.drain(0.0, 0.02)
            async with asyncio.timeout(60):
                await ended.wait()
            assert ended.is_set(), "production still has the request"
            sock.close()

    under_uvloop(body)


async def test_an_answer_too_long_for_one_read_is_streamed(make: Make) -> None:
    world = make()
    upstream, client = world.production.idle(), world.client()
    client.send(GET)
    upstream.receive(answer(10) + b"01234")
    assert client.got == answer(10) + b"01234"
    upstream.receive(b"56789")
    assert client.got.endswith(b"0123456789")


# -- certificates


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def test_only_upstreams_that_speak_tls_cost_a_context(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is tens of milliseconds of the loop that serves production."""
    made: list[s.UpstreamTls] = []
    monkeypatch.setattr(tls, "upstream_context", lambda settings: made.append(settings))
    snapshot = configuration(candidate(), twin=s.Candidate(name="twin", url="https://twin.test"))
    world = make(snapshot)
    assert len(made) == 1
    world.worker.prepare(again(snapshot, 2))
    assert len(made) == 2
    world.worker.commit(2)
    assert len(made) == 2  # what was prepared is what takes effect


async def test_a_reload_reads_the_certificates_of_upstreams_again(make: Make, authority: Authority) -> None:
    own = s.UpstreamTls(ca=authority.ca)
    snapshot = configuration(
        s.Candidate(name="v2", url="https://v2.test", tls=own),
        production=s.Production(urls=("https://v1.test",), tls=own),
    )
    world = make(snapshot)
    runtime = world.worker.runtime
    pools = [runtime.production.endpoints[0].pool, runtime.mirrors["v2"].pool]
    before = [pool.tls for pool in pools]
    assert all(before)
    world.worker.prepare(again(snapshot, 2))
    assert [pool.tls for pool in pools] == before
    world.worker.commit(2)
    assert world.worker.runtime.production is runtime.production
    assert all(pool.tls is not None and pool.tls is not old for pool, old in zip(pools, before, strict=True))


def test_a_reload_reads_the_server_s_certificate_again(authority: Authority, tmp_path: Path) -> None:
    async def body() -> None:
        files = s.DownstreamTls(certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))

        def install(name: str) -> None:
            identity = authority.issue(name)
            shutil.copy(identity.certificate, files.certificate)
            shutil.copy(identity.key, files.key)

        install("old.test")
        async with Serving(_ok, tls=files) as serving:
            context = authority.client()
            context.check_hostname = False

            async def shown() -> list[str]:
                _, writer = await asyncio.open_connection(*serving.listening.getsockname(), ssl=context)
                names = writer.get_extra_info("peercert")["subjectAltName"]
                writer.close()
                return [value for kind, value in names if kind == "DNS"]

            assert await shown() == ["old.test"]
            install("new.test")
            for number in (2, 3):  # the second finds the first at its work
                serving.worker.prepare(again(serving.snapshot, number))
                serving.worker.commit(number)
            async with asyncio.timeout(60):
                while await shown() != ["new.test"]:  # noqa: ASYNC110 - what a client sees is what is waited for
                    await asyncio.sleep(0.01)
            await serving.worker.drain(0.0, 0.0)

    under_uvloop(body)
