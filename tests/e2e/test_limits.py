"""Limits and timeouts towards clients: each one bites when it must, says so in the right words, and not before."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, ask, get, post
from tests.support.proxy import Proxy
from tests.support.until import LEAST_S, until
from tests.support.upstream import Connection, Request, Upstream, echo, replies, response

SWEEP_S = 0.1  # timers are swept so often: late by as much, never early
SLACK_S = 3.5  # what a loaded machine may add; no default is as short
HEAD_TIMEOUT_S, BODY_IDLE_S, KEEP_ALIVE_S, CLIENT_STALL_S, PRODUCTION_S = 0.8, 1.5, 1.3, 1.5, 1.5


class Bench:
    def __init__(self, proxy: Proxy, production: Upstream) -> None:
        self.proxy = proxy
        self.production = production

    def client(self, receive_buffer: int = 0) -> Client:
        return Client(self.proxy.address, receive_buffer=receive_buffer)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Upstream() as production:
        timeouts = dict.fromkeys(("first_byte", "idle"), f"{PRODUCTION_S}s")
        config = {
            "production": {"url": production.url, "timeouts": timeouts},
            "limits": {
                "head_timeout": f"{HEAD_TIMEOUT_S}s",
                "body_idle": f"{BODY_IDLE_S}s",
                "keep_alive": f"{KEEP_ALIVE_S}s",
                "client_stall": f"{CLIENT_STALL_S}s",
                "body": "64KiB",
            },
        }
        with Proxy(tmp_path_factory.mktemp("limits"), config) as proxy:
            yield Bench(proxy, production)


def on_time(since: float, timeout_s: float) -> bool:
    return timeout_s - 0.01 <= time.monotonic() - since <= timeout_s + SWEEP_S + SLACK_S


# -- clients that are slow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: model.test\r\nX-A: b", get("/")[:-1]]
)
def test_a_head_that_does_not_end_is_408(bench: Bench, begun: bytes) -> None:
    with bench.client() as client:
        client.send(begun)
        since = time.monotonic()
        answer = client.read()
        assert on_time(since, HEAD_TIMEOUT_S)
        assert (answer.status, answer.kind) == (408, "request_timeout")
        assert client.rest() == b""
        assert client.ended == "fin"


def test_a_head_that_drips_is_408_all_the_same(bench: Bench) -> None:
    """The limit is on the whole head: a byte now and then buys no time."""
    with bench.client() as client:
        since = time.monotonic()
        for byte in get("/", "X-Slow: " + "a" * 100):
            client.send_as_much_as_goes(bytes([byte]))
            if not client.is_silent(0.05):
                break
        assert client.read().status == 408
        assert on_time(since, HEAD_TIMEOUT_S)


def test_a_connection_that_says_nothing_is_closed_silently(bench: Bench) -> None:
    with bench.client() as client:
        assert client.rest() == b""
        assert client.ended == "fin"


def test_an_idle_connection_is_closed_silently(bench: Bench) -> None:
    bench.production.handler = echo
    with bench.client() as client:
        assert client.ask(get("/")).status == 200
        since = time.monotonic()
        assert client.rest() == b""
        assert client.ended == "fin"
        assert on_time(since, KEEP_ALIVE_S)


def test_the_second_request_has_its_own_head_timeout(bench: Bench) -> None:
    bench.production.handler = echo
    with bench.client() as client:
        assert client.ask(get("/")).status == 200
        client.send(b"GET /second")
        assert (client.read().status, client.rest()) == (408, b"")


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_body_that_stops_is_408(bench: Bench, framing: str) -> None:
    bench.production.handler = echo
    seen = len(bench.production.requests)
    with bench.client() as client:
        client.send(get("/", framing, method="POST") + b"5\r\nhello\r\n")
        since = time.monotonic()
        answer = client.read()
        assert on_time(since, BODY_IDLE_S)
        assert (answer.status, answer.kind) == (408, "request_timeout")
        assert client.rest() == b""
    (request,) = bench.production.wait_requests(seen + 1)[seen:]
    until(lambda: request.body.ended, 5, "the end of production's request")
    assert not request.body.complete


def test_a_slow_body_that_moves_is_patiently_read(bench: Bench) -> None:
    bench.production.handler = echo
    with bench.client() as client:
        client.send(get("/", "Content-Length: 5", method="POST"))
        for byte in b"hello":  # longer than the limit in all
            assert client.is_silent(BODY_IDLE_S / 4), "the proxy gave up while bytes came"
            client.send(bytes([byte]))
        assert json.loads(client.read().data)["body"] == "hello"


def test_a_client_that_does_not_read_is_cut_off(bench: Bench) -> None:
    def long(connection: Connection, request: Request) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not connection.ended:
            connection.send(b"a" * 65536)

    bench.production.handler = long
    seen = len(bench.production.requests)
    with bench.client(receive_buffer=65536) as client:
        client.send(get("/"))
        (request,) = bench.production.wait_requests(seen + 1)[seen:]
        connection = bench.production.connections[request.connection]
        until(lambda: connection.ended or connection.is_closed, 10, "the end of production's answer")
        client.wait_end()
        assert not client.wire.kept.endswith(b"0\r\n\r\n"), "the client takes a cut answer for a whole one"


def test_production_that_is_slow_because_of_the_client_is_not_timed_out(bench: Bench) -> None:
    """`timeouts.idle` counts only while we read: a client that pauses for less than `client_stall` loses nothing."""
    size = 64 << 20

    def long(connection: Connection, request: Request) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            connection.send(b"a" * 65536)

    bench.production.handler = long
    with bench.client(receive_buffer=65536) as client:
        client.send(get("/"))
        assert client.read_head().line.endswith(b"200 OK")
        read = len(client.wire.buffer)
        pause = threading.Event()
        while read < size:
            client.wire.buffer.clear()
            if read < 4 << 20:
                pause.wait(CLIENT_STALL_S / 20)
            assert client.wire.fill(), f"ended by {client.ended} after {read} bytes"
            read += len(client.wire.buffer)
        assert read == size


# -- bodies --------------------------------------------------------------------------------------------------------


def test_a_body_of_just_the_limit_passes(bench: Bench) -> None:
    bench.production.handler = replies(response(b"ok"))
    with bench.client() as client:
        assert client.ask(post("/", b"a" * 65536)).data == b"ok"
        chunks = b"8000\r\n" + b"a" * 32768 + b"\r\n"
        assert (
            client.ask(get("/", "Transfer-Encoding: chunked", method="POST") + chunks * 2 + b"0\r\n\r\n").data == b"ok"
        )


def test_a_body_over_the_limit_is_413_before_it_is_sent(bench: Bench) -> None:
    seen = bench.production.received
    with bench.client() as client:
        client.send(get("/", "Content-Length: 65537", method="POST"))
        answer = client.read()
        assert (answer.status, answer.kind) == (413, "body_too_large")
        assert client.rest() == b""
    assert bench.production.received == seen


def test_a_refused_upload_gets_its_answer_while_it_still_sends(bench: Bench) -> None:
    """The refusal lingers: bytes that were on their way must not turn it into a reset."""
    for _ in range(10):
        with bench.client() as client:
            client.send(get("/", "Content-Length: 900000", method="POST"))
            client.send_as_much_as_goes(b"a" * 900000)
            assert client.read().status == 413
            assert client.wait_end() == "fin"


def test_a_chunked_body_that_grows_over_the_limit_is_413(bench: Bench) -> None:
    bench.production.handler = echo
    seen = len(bench.production.requests)
    with bench.client() as client:
        client.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"4\r\npart\r\n")
        (request,) = bench.production.wait_requests(seen + 1)[seen:]
        for _ in range(17):
            client.send_as_much_as_goes(b"1000\r\n" + b"a" * 4096 + b"\r\n")
        answer = client.read()
        assert (answer.status, answer.kind) == (413, "body_too_large")
    until(lambda: request.body.ended, 5, "the end of production's request")
    assert not request.body.complete


# -- production that is slow ---------------------------------------------------------------------------------------


def test_no_first_byte_is_504(bench: Bench) -> None:
    def silent(connection: Connection, request: Request) -> None:
        connection.wait_end()

    bench.production.handler = silent
    with bench.client() as client:
        since = time.monotonic()
        answer = client.ask(post("/", b"{}", "X-Request-ID: slow-1"))
        assert on_time(since, PRODUCTION_S)
        assert (answer.status, answer.kind) == (504, "timeout")
        assert json.loads(answer.data)["instance"] == "slow-1"
        # The request was read to its end: the client's connection is as good as before.
        bench.production.handler = echo
        assert client.ask(get("/")).status == 200


def test_an_answer_that_stops_is_cut(bench: Bench) -> None:
    def stops(connection: Connection, request: Request) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        connection.wait_end()

    bench.production.handler = stops
    with bench.client() as client:
        since = time.monotonic()
        answer = client.ask(get("/"))
        assert on_time(since, PRODUCTION_S)
        assert (answer.status, answer.data, answer.body.complete) == (200, b"hello", False)


def test_a_slow_answer_that_moves_is_patiently_passed(bench: Bench) -> None:
    pause = threading.Event()

    def drips(connection: Connection, request: Request) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for byte in b"hello":
            pause.wait(PRODUCTION_S / 4)  # longer than the limit in all
            connection.send(bytes([byte]))

    bench.production.handler = drips
    with bench.client() as client:
        assert client.ask(get("/")).data == b"hello"


# -- connections ---------------------------------------------------------------------------------------------------


def test_one_connection_too_many_is_503(tmp_path: Path) -> None:
    with (
        Upstream() as production,
        Proxy(tmp_path, {"production": {"url": production.url}, "limits": {"connections": 5}}) as proxy,
    ):
        clients = [Client(proxy.address) for _ in range(5)]
        assert [client.ask(get("/")).status for client in clients] == [200] * 5
        with Client(proxy.address) as sixth:
            sixth.send_as_much_as_goes(get("/"))
            answer = sixth.read()
            assert (answer.status, answer.kind) == (503, "client_limit")
            assert answer.head.get(b"retry-after") == b"1"
            assert sixth.wait_end() == "fin"
        assert clients[0].ask(get("/")).status == 200
        clients.pop().close()
        until(lambda: ask(proxy.address, get("/")).status == 200, 5, "a place for another connection")
        for client in clients:
            client.close()


def test_an_old_connection_is_told_to_close(tmp_path: Path) -> None:
    with (
        Upstream() as production,
        Proxy(tmp_path, {"production": {"url": production.url}, "limits": {"connection_age": "1s"}}) as proxy,
        Client(proxy.address) as client,
    ):
        assert client.ask(get("/")).head.get(b"connection") is None
        born = time.monotonic()
        while (answer := client.ask(get("/"))).head.get(b"connection") is None:
            assert time.monotonic() - born < LEAST_S, "the connection is never told to close"
        assert (answer.status, answer.head.get(b"connection")) == (200, b"close")
        assert client.wait_end() == "fin"


def test_who_has_no_answer_when_the_drain_is_over_is_told(tmp_path: Path) -> None:
    released = threading.Event()

    def holds(connection: Connection, request: Request) -> None:
        released.wait(20)

    with Upstream(holds) as production:
        config = {"production": {"url": production.url}, "limits": {"drain": "100ms"}}
        with Proxy(tmp_path, config) as proxy, Client(proxy.address) as client:
            client.send(get("/", "X-Request-ID: late-1"))
            production.wait_requests(1)
            proxy.signal(signal.SIGTERM)
            answer = client.read()
            assert (answer.status, answer.kind) == (503, "draining")
            assert answer.head.get(b"retry-after") == b"1"
            assert json.loads(answer.data)["request_id"] == "late-1"
            released.set()
            proxy.wait()
            proxy.process = None
