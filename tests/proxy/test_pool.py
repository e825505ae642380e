from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from shadowproxy.core import outcome as o
from shadowproxy.proxy import pool as pool_module
from shadowproxy.proxy.pool import Address, Pool
from shadowproxy.proxy.upstream import UpstreamConnection
from tests.proxy.world import Clock, Upstream, turns


class Silent(UpstreamConnection, asyncio.Protocol):
    """A connection that nobody listens to."""

    def whole(self, head: Any, body: bytes) -> None: ...
    def began(self, head: Any, more: bool) -> None: ...
    def pieces(self, pieces: list[bytes]) -> None: ...
    def ended(self, trailers: list[tuple[bytes, bytes]]) -> None: ...
    def failed(self, code: int, kind: str, detail: str) -> None: ...


def build(host: str = "up.test", port: int = 80, **settings: Any) -> Pool:
    given: dict[str, Any] = {
        "limit": 2,
        "connect_s": 1.0,
        "keep_alive_s": 4.0,
        "max_age_s": 300.0,
        "tls": None,
        "server_name": None,
    }
    return Pool(Address(host, port, False, b""), Silent, **{**given, **settings})


class Asked:
    """Who wanted a connection, and what it was told."""

    def __init__(self) -> None:
        self.made: list[UpstreamConnection] = []
        self.failed: list[tuple[int, str, str]] = []

    def ask(self, pool: Pool) -> asyncio.Task[None]:
        return pool.connect(self.made.append, lambda *why: self.failed.append(why))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.test", ("a.test", 80, False, b"a.test")),
        ("http://a.test:80", ("a.test", 80, False, b"a.test")),
        ("https://a.test", ("a.test", 443, True, b"a.test")),
        ("https://a.test:80", ("a.test", 80, True, b"a.test:80")),
        ("http://127.0.0.1:9001", ("127.0.0.1", 9001, False, b"127.0.0.1:9001")),
        ("http://[::1]:9001", ("::1", 9001, False, b"[::1]:9001")),
        ("http://[::1]", ("::1", 80, False, b"[::1]")),
        ("http://bücher.test", ("bücher.test", 80, False, b"xn--bcher-kva.test")),
    ],
)
def test_an_address_is_said_as_a_host_field_says_it(url: str, expected: tuple[object, ...]) -> None:
    assert tuple(Address.of(url)) == expected


async def test_a_connection_is_made_counted_used_again_and_lost() -> None:
    pool = build()
    upstream, asked = Upstream(pool), Asked()
    asked.ask(pool)
    assert pool.open == 1
    await turns()
    transport = await upstream.accept()
    (connection,) = asked.made
    assert pool.take(pool_module.perf_counter_ns()) is None
    pool.give_back(connection, pool_module.perf_counter_ns())
    assert pool.take(pool_module.perf_counter_ns()) is connection
    pool.give_back(connection, pool_module.perf_counter_ns())
    transport.lose()
    assert pool.open == 0
    assert pool.take(pool_module.perf_counter_ns()) is None


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            "connect_error",
            "Nothing answers at up.test:80: Connection",
        ),
        (socket.gaierror(-2, "Name or service not known"), "connect_error", "Name or service not known"),
        (TimeoutError(), "timeout", "did not accept the connection in time"),
        (ssl.SSLError(1, "[SSL] bad"), "connect_error", "TLS with up.test:80 failed"),
        (UnicodeError("label too long"), "connect_error", "label too long"),
        (ValueError("server_hostname cannot start with a dot"), "connect_error", "server_hostname"),
    ],
)
async def test_a_failure_to_connect_is_told_once(error: Exception, kind: str, sentence: str) -> None:
    pool = build()
    upstream, asked = Upstream(pool), Asked()
    freed: list[int] = []
    pool.on_free = lambda: freed.append(pool.open)
    asked.ask(pool)
    await turns()
    await upstream.dials[0].failed(error)
    ((code, told, detail),) = asked.failed
    assert (code, told) == (o.CONNECT_ERROR, kind)
    assert sentence in detail
    assert pool.open == 0
    assert freed == [0]


async def test_a_cancelled_attempt_tells_nobody_and_gives_its_place_back() -> None:
    pool = build()
    Upstream(pool)
    asked = Asked()
    task = asked.ask(pool)
    await turns()
    task.cancel()
    await turns()
    assert pool.open == 0
    assert (asked.made, asked.failed) == ([], [])


async def test_an_attempt_that_is_cancelled_before_its_first_step_gives_its_place_back() -> None:
    """Who asks and hangs up in one packet leaves in the turn in which it asked."""
    pool = build()
    upstream, asked = Upstream(pool), Asked()
    freed: list[int] = []
    pool.on_free = lambda: freed.append(pool.open)
    asked.ask(pool).cancel()
    await turns()
    assert pool.open == 0
    assert freed == [0]
    assert (upstream.dials, asked.made, asked.failed) == ([], [], [])


def under_uvloop(body: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await body()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_an_attempt_that_is_cancelled_as_it_succeeds_gives_its_place_back() -> None:
    """uvloop closes such a transport without a connection_lost: the place would be taken for ever."""

    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            pool = build(*server.getsockname())
            asked = Asked()
            was = Silent.connection_made

            class Cancelling(Silent):
                def connection_made(self, transport: asyncio.BaseTransport) -> None:
                    was(self, transport)
                    task.cancel()

            pool._factory = Cancelling
            task = asked.ask(pool)
            await asyncio.wait([task])
            await asyncio.sleep(0.01)
            assert task.cancelled()
            assert pool.open == 0
            assert asked.made == []

    under_uvloop(body)


def test_addresses_are_tried_in_turn_until_one_answers() -> None:
    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            pool = build(*server.getsockname(), limit=8)
            pool._resolved = [(socket.AF_INET, deaf.getsockname()), (socket.AF_INET, server.getsockname())]
            pool._resolved_at = asyncio.get_running_loop().time()
            asked = Asked()
            for _ in range(2):  # each begins with another one
                await asyncio.wait([asked.ask(pool)])
            assert len(asked.made) == 2
            assert pool.open == 2
            for connection in asked.made:
                connection.give_up()
            await asyncio.sleep(0.01)
            assert pool.open == 0

    under_uvloop(body)


def test_a_slow_connect_ends_in_time() -> None:
    async def body() -> None:
        pool = build(connect_s=0.02)

        async def never(connection: UpstreamConnection) -> None:
            await asyncio.Event().wait()

        pool._open = never  # type: ignore[method-assign]
        asked = Asked()
        await asyncio.wait([asked.ask(pool)])
        assert [kind for _, kind, _ in asked.failed] == ["timeout"]
        assert pool.open == 0

    under_uvloop(body)


async def test_the_connection_that_was_used_last_is_taken_first(clock: Clock) -> None:
    pool = build()
    upstream = Upstream(pool)
    first, second = upstream.idle(), upstream.idle()
    assert pool.take(pool_module.perf_counter_ns()) is second.protocol
    assert pool.take(pool_module.perf_counter_ns()) is first.protocol


async def test_connections_too_old_to_be_used_are_closed(clock: Clock) -> None:
    pool = build(keep_alive_s=4.0, max_age_s=10.0)
    upstream = Upstream(pool)
    idle, worn = upstream.idle(), upstream.idle()
    clock.sleep(3.9)
    pool.sweep()
    assert not idle.aborted
    pool.idle.remove(worn.protocol)
    clock.sleep(6.2)
    pool.give_back(worn.protocol, pool_module.perf_counter_ns())
    assert pool.take(pool_module.perf_counter_ns()) is None  # one idle for more than 4 s, one older than 10 s
    await turns()
    assert idle.lost
    assert worn.lost
    assert pool.open == 0


async def test_the_sweep_closes_what_has_been_idle_too_long(clock: Clock) -> None:
    pool = build(keep_alive_s=4.0)
    idle = Upstream(pool).idle()
    clock.sleep(4)
    pool.sweep()
    assert idle.aborted
    assert pool.idle == []


@pytest.mark.parametrize("what", ["bytes", "end"])
async def test_a_connection_of_which_the_kernel_knows_something_is_not_used(what: str) -> None:
    pool = build()
    transport = Upstream(pool).idle()
    if what == "bytes":
        transport.theirs.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    else:
        transport.theirs.shutdown(socket.SHUT_WR)
    assert pool.take(pool_module.perf_counter_ns()) is None
    assert transport.aborted


async def test_a_connection_that_received_bytes_nobody_asked_for_is_not_used() -> None:
    """They have been read, so the kernel knows nothing of them; its loss is told only in the next turn."""
    pool = build()
    transport = Upstream(pool).idle()
    transport.receive(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert transport.aborted
    assert pool.take(pool_module.perf_counter_ns()) is None
    await turns()
    assert pool.open == 0


async def test_a_closed_pool_keeps_no_connection_but_ends_what_was_begun() -> None:
    """After a reload: requests that are connecting or in flight go on, and nothing is left when they are done."""
    pool = build()
    upstream, asked = Upstream(pool), Asked()
    idle = upstream.idle()
    asked.ask(pool)
    await turns()
    pool.close()
    assert idle.aborted
    await upstream.accept()
    (connection,) = asked.made
    pool.give_back(connection, pool_module.perf_counter_ns())
    await turns()
    assert pool.idle == []
    assert pool.open == 0


async def test_every_place_that_becomes_free_is_announced() -> None:
    pool = build()
    upstream = Upstream(pool)
    transport = upstream.idle()
    free: list[int] = []
    pool.on_free = lambda: free.append(pool.open)
    connection = pool.take(pool_module.perf_counter_ns())
    assert connection is not None
    pool.give_back(connection, pool_module.perf_counter_ns())
    transport.lose()
    assert free == [1, 0]


async def test_names_are_resolved_again_in_the_background_and_the_last_good_answer_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    answers: list[Any] = [["10.0.0.1"], ["10.0.0.2"], OSError("no resolver")]

    async def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        found = answers.pop(0)
        if isinstance(found, OSError):
            raise found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(pool_module, "RESOLVE_S", 0.0)
    pool = build()
    seen = []
    for _ in range(4):
        seen.append((await pool._addresses(loop))[0][1][0])
        await turns()
    assert seen == ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"]
