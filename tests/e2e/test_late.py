"""A worker that did not run for a while: what came meanwhile is read before anybody is blamed for silence.

A machine that sleeps, a container that is paused, a virtual machine that moves to another host: all deadlines have then
passed at once, also of those whose bytes lie in the kernel.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support.client import Client, get, post
from tests.support.load import returns_the_body
from tests.support.proxy import Proxy
from tests.support.upstream import Connection, Request, Upstream, response

PATIENCE_S = 1.0  # of every limit
STOPPED_S = 1.8  # longer than any limit, shorter than the supervisor's patience


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Upstream, Upstream]]:
    with Upstream() as production, Upstream(returns_the_body) as candidate:
        patience = f"{PATIENCE_S}s"
        config = {
            "production": {"url": production.url, "timeouts": {"first_byte": patience, "idle": patience}},
            "candidates": [{"name": "v2", "url": candidate.url, "timeout": patience, "breaker": {"failures": 1000}}],
            "limits": {"head_timeout": patience, "body_idle": patience, "keep_alive": patience},
        }
        with Proxy(tmp_path_factory.mktemp("late"), config) as proxy:
            yield proxy, production, candidate


def stop_for_a_while(proxy: Proxy, meanwhile: Callable[[], None]) -> None:
    """The worker does not run for `STOPPED_S`; `meanwhile` happens within it."""
    worker = proxy.worker()
    os.kill(worker, signal.SIGSTOP)
    try:
        meanwhile()
        threading.Event().wait(STOPPED_S)
    finally:
        os.kill(worker, signal.SIGCONT)


CHUNKED = get("/", "Transfer-Encoding: chunked", method="POST") + b"a\r\n0123456789\r\n0\r\n\r\n"
SIZED = post("/", b"0123456789")
BEGUN = {"nothing": SIZED[:0], "half a head": SIZED[:20], "half a body": SIZED[:-5], "half a chunk": CHUNKED[:-10]}


def test_clients_that_spoke_in_time_are_heard(world: tuple[Proxy, Upstream, Upstream]) -> None:
    proxy, production, _ = world
    production.handler = returns_the_body
    with contextlib.ExitStack() as stack:
        clients = {name: stack.enter_context(Client(proxy.address)) for name in BEGUN}
        for client in clients.values():
            assert client.ask(post("/before", b"1")).status == 200
        seen = len(production.requests)
        for name, client in clients.items():
            client.send(BEGUN[name])
        production.wait_requests(seen + 2)  # of the two whose heads are whole

        def speak_on() -> None:
            for name, client in clients.items():
                client.send((CHUNKED if name == "half a chunk" else SIZED)[len(BEGUN[name]) :])

        stop_for_a_while(proxy, speak_on)
        for name, client in clients.items():
            answer = client.read()
            assert (answer.status, answer.data) == (200, b"0123456789"), name


def test_answers_that_came_in_time_are_passed_on(world: tuple[Proxy, Upstream, Upstream]) -> None:
    proxy, production, _ = world
    whole = response(b"0123456789")
    cuts = {b"/nothing": 0, b"/head": 10, b"/body": len(whole) - 5}
    begun, go = threading.Semaphore(0), threading.Event()

    def in_two_parts(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        cut = cuts[request.target]
        connection.send(whole[:cut])
        begun.release()
        assert go.wait(20)
        connection.send(whole[cut:])

    production.handler = in_two_parts
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(proxy.address)) for _ in cuts]
        for client, target in zip(clients, cuts, strict=True):
            client.send(post(target.decode(), b"{}"))
        assert all(begun.acquire(timeout=10) for _ in cuts)
        stop_for_a_while(proxy, go.set)
        for client in clients:
            answer = client.read()
            assert (answer.status, answer.data) == (200, b"0123456789")
    log = proxy.wait_pairs(1)
    assert {pair["shadow"]["outcome"] for pair in log.pairs} == {"complete"}, "a candidate was blamed"
