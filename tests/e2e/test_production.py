"""Production's connections: several URLs, passive health, reuse, retries, and what happens when there are too few."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Answer, Client, ask, get, post
from tests.support.proxy import Proxy, reserve
from tests.support.until import LEAST_S, until
from tests.support.upstream import Connection, Handler, Request, Upstream, echo, replies, response


def named(name: str) -> Upstream:
    return Upstream(replies(response(name.encode())))


def config(*urls: str, **more: Any) -> dict[str, Any]:
    return {"production": {"urls": list(urls), **more}}


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """A URL at which connections are refused."""
    with reserve() as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """A URL at which connections are neither taken nor refused: a listener whose queue is full."""
    with socket.socket() as listener, contextlib.ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            held = queue.enter_context(socket.socket())
            held.setblocking(False)
            held.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_refused_is_502(tmp_path: Path) -> None:
    with nobody() as url, Proxy(tmp_path, config(url)) as proxy, Client(proxy.address) as client:
        for _ in range(3):
            answer = client.ask(post("/", b"{}", "X-Request-ID: r-1"))
            assert (answer.status, answer.kind) == (502, "connect_error")
            assert json.loads(answer.data)["instance"] == "r-1"


def test_no_answer_to_a_connect_is_a_failure_in_time(tmp_path: Path) -> None:
    with black_hole() as url, Proxy(tmp_path, config(url, timeouts={"connect": "300ms"})) as proxy:
        answer = ask(proxy.address, get("/"))
        assert (answer.status, answer.kind) in {(504, "timeout"), (502, "connect_error")}


def test_a_refused_connect_tries_the_next_url(tmp_path: Path) -> None:
    with nobody() as dead, named("alive") as alive, Proxy(tmp_path, config(dead, alive.url)) as proxy:
        for _ in range(30):
            assert ask(proxy.address, post("/")).data == b"alive"


def test_several_urls_share_the_requests(tmp_path: Path) -> None:
    with named("a") as a, named("b") as b, named("c") as c, Proxy(tmp_path, config(a.url, b.url, c.url)) as proxy:
        counted = Counter(ask(proxy.address, get("/")).data for _ in range(90))
        assert set(counted) == {b"a", b"b", b"c"}
        assert min(counted.values()) >= 20


def test_a_url_that_dies_is_left_alone_and_found_again(tmp_path: Path) -> None:
    with named("a") as a, named("b") as b, Proxy(tmp_path, config(a.url, b.url, keep_alive="1s")) as proxy:
        assert {ask(proxy.address, get("/")).data for _ in range(10)} == {b"a", b"b"}
        b.close()
        assert {ask(proxy.address, get("/")).data for _ in range(50)} == {b"a"}, "a GET is repeated, never failed"
        with Upstream(replies(response(b"b again")), port=b.port):
            until(
                lambda: ask(proxy.address, get("/")).data == b"b again", 20, "traffic at the revived URL", step_s=0.05
            )


class Steady:
    """One proxy for the tests that only change what production does; a candidate keeps bodies in memory."""

    def __init__(self, proxy: Proxy, production: Upstream) -> None:
        self.proxy = proxy
        self.production = production

    def serve(self, handler: Handler) -> int:
        """From now on production answers so, on fresh connections; returns how many requests came before."""
        self.production.handler = handler
        self.production.drop_connections()
        until(lambda: all(c.is_closed for c in self.production.connections), 5, "closed connections")
        return len(self.production.requests)

    def ask(self, data: bytes) -> Answer:
        return ask(self.proxy.address, data)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steady]:
    with Upstream() as production, Upstream() as candidate:
        settings = config(production.url, keep_alive="60s")
        settings["candidates"] = [{"name": "v2", "url": candidate.url}]
        settings["mirror"] = {"methods": ["POST", "PUT"]}
        with Proxy(tmp_path_factory.mktemp("steady"), settings) as proxy:
            yield Steady(proxy, production)


def test_connections_are_reused(steady: Steady) -> None:
    steady.serve(echo)
    before = len(steady.production.connections)
    for _ in range(50):
        assert steady.ask(get("/")).status == 200
    assert len(steady.production.connections) - before == 1


@pytest.mark.parametrize(
    ("request_", "again"),
    [
        (get("/"), True),
        (get("/", method="DELETE"), True),
        (post("/", b"hello", method="PUT"), True),
        (post("/", b"hello"), False),
        (post("/", b"hello", "Idempotency-Key: k"), True),
        (post("/v2/models/m/infer", b'{"inputs": []}'), True),
    ],
    ids=["get", "delete", "put", "post", "post-idempotency-key", "post-stateless-preset"],
)
def test_a_used_connection_that_ends_without_an_answer(steady: Steady, request_: bytes, again: bool) -> None:
    """Once, on a fresh connection, and only what may be repeated; else 502 upstream_closed."""
    served: Counter[int] = Counter()

    def once(connection: Connection, request: Request) -> None:
        """The first request of a connection is answered, the second finds the connection closed."""
        connection.read_body(request)
        served[connection.number] += 1
        if served[connection.number] > 1:
            connection.close()
        else:
            connection.send(response(b"ok"))

    before = steady.serve(once)
    assert steady.ask(get("/first")).status == 200
    answer = steady.ask(request_)
    if again:
        assert (answer.status, answer.data) == (200, b"ok")
        assert len(steady.production.requests) - before == 3
    else:
        assert (answer.status, answer.kind) == (502, "upstream_closed")
        assert len(steady.production.requests) - before == 2


def test_a_fresh_connection_that_ends_without_an_answer_is_not_repeated(steady: Steady) -> None:
    before = steady.serve(lambda connection, request: connection.close())
    answer = steady.ask(get("/"))
    assert (answer.status, answer.kind) in {(502, "upstream_closed"), (502, "reset")}
    assert len(steady.production.requests) - before == 1


def test_an_upstream_that_closes_idle_connections_costs_no_request(steady: Steady) -> None:
    """POSTs are never repeated, so each connection must be looked at before it is used again."""
    before = steady.serve(echo)
    for number in range(60):
        assert steady.ask(post(f"/{number}")).status == 200
        steady.serve(echo)
    assert len(steady.production.requests) - before == 60


def test_an_answer_with_more_behind_it_ends_the_connection(steady: Steady) -> None:
    steady.serve(replies(response(b"ok") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    before = len(steady.production.connections)
    assert [steady.ask(get("/")).data for _ in range(10)] == [b"ok"] * 10
    assert len(steady.production.connections) - before == 10


def test_an_idle_connection_is_closed_at_its_age(tmp_path: Path) -> None:
    with Upstream() as production, Proxy(tmp_path, config(production.url, keep_alive="500ms")) as proxy:
        assert ask(proxy.address, get("/")).status == 200
        (connection,) = production.connections
        until(lambda: connection.ended, 5, "the end of an idle connection")
        assert connection.ended == "fin"


def test_busy_production_is_503_without_a_copy(tmp_path: Path) -> None:
    go = threading.Event()

    def waits(connection: Connection, request: Request) -> None:
        assert go.wait(LEAST_S)
        echo(connection, request)

    with Upstream(waits) as production, Upstream() as candidate:
        settings = config(production.url, connections=1, timeouts={"connect": "400ms"})
        settings["candidates"] = [{"name": "v2", "url": candidate.url}]
        with Proxy(tmp_path, settings) as proxy, Client(proxy.address) as first:
            first.send(post("/first"))
            production.wait_requests(1)
            with Client(proxy.address) as second, Client(proxy.address) as third:
                second.send(post("/second"))
                third.send(post("/third"))
                for client in (second, third):
                    answer = client.read()
                    assert (answer.status, answer.kind) == (503, "upstream_busy")
                    assert answer.head.get(b"retry-after") == b"1"
            go.set()
            assert first.read().status == 200
            candidate.wait_requests(1)
        assert [request.target for request in candidate.requests] == [b"/first"]
        assert [request.target for request in production.requests] == [b"/first"]


def test_who_waits_for_busy_production_is_served_in_turn(tmp_path: Path) -> None:
    release = threading.Semaphore(0)

    def waits(connection: Connection, request: Request) -> None:
        assert release.acquire(timeout=LEAST_S)
        echo(connection, request)

    settings = config("", connections=2, timeouts={"connect": "60s"})
    with Upstream(waits) as production:
        settings["production"]["urls"] = [production.url]
        with Proxy(tmp_path, settings) as proxy:
            clients = [Client(proxy.address) for _ in range(4)]
            for number, client in enumerate(clients[:2]):
                client.send(get(f"/{number}"))
                production.wait_requests(number + 1)
            for number, client in enumerate(clients[2:], 2):
                client.send(get(f"/{number}"))
                assert client.is_silent(0.05)
            for _ in clients:
                release.release()
            assert [client.read().status for client in clients] == [200] * 4
            assert sorted(request.target for request in production.requests) == [b"/0", b"/1", b"/2", b"/3"]
            for client in clients:
                client.close()


def test_host_is_what_is_configured(tmp_path: Path) -> None:
    hosts = {"preserve": b"model.test", "upstream": None, "inner.test": b"inner.test"}
    with Upstream() as production:
        for number, (host, expected) in enumerate(hosts.items()):
            with Proxy(tmp_path / str(number), config(production.url, host=host)) as proxy:
                assert ask(proxy.address, get("/")).status == 200
            assert production.requests[-1].get(b"host") == (expected or f"127.0.0.1:{production.port}".encode())


def test_a_client_of_1_0_that_names_no_host_is_sent_on_with_the_upstream_s(tmp_path: Path) -> None:
    """An empty Host is refused by many servers (RFC 9110 §7.2 allows it only where a URI has no authority)."""
    with Upstream() as production, Upstream() as candidate:
        whole = config(production.url) | {"candidates": [{"name": "v2", "url": candidate.url, "host": "preserve"}]}
        with Proxy(tmp_path, whole) as proxy:
            assert ask(proxy.address, b"POST /old HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}").status == 200
            proxy.wait_pairs(1)
        for upstream in (production, candidate):
            (request,) = upstream.requests
            assert request.get(b"host") == f"127.0.0.1:{upstream.port}".encode()
            assert request.get(b"x-forwarded-host") is None
