"""Client and upstream against each other, without the product: what they claim about sockets is true."""

from __future__ import annotations

import pytest

from tests.support.client import Client, Ended, get, post
from tests.support.message import Malformed
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, by_target, replies, response


def asked(raw: bytes, then: str = "close", method: str = "GET") -> object:
    with Upstream(replies(raw, then)) as upstream, Client(upstream.address) as client:
        return client.ask(get("/", method=method))


def test_an_upstream_records_what_came() -> None:
    with Upstream() as upstream, Client(upstream.address) as client:
        raw = post("/a", b"hello", "X-A: b")
        assert client.ask(raw).status == 200
        assert bytes(upstream.connections[0].wire.kept) == raw
        (request,) = upstream.requests
        assert (request.target, request.data, request.body.complete) == (b"/a", b"hello", True)


def test_chunks_and_trailers_are_read_on_both_sides() -> None:
    body = b"5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    with Upstream(replies(answer)) as upstream, Client(upstream.address) as client:
        got = client.ask(get("/", "Transfer-Encoding: chunked", method="POST") + body)
        assert (got.data, got.body.trailers) == (b"hello", [(b"X-A", b"b")])
        assert (upstream.requests[0].data, upstream.requests[0].body.trailers) == (b"hello", [(b"X-A", b"b")])


@pytest.mark.parametrize(("then", "ended"), [("close", "fin"), ("reset", "reset")])
def test_a_client_says_how_it_ended(then: str, ended: str) -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"
    with Upstream(replies(short, then)) as upstream, Client(upstream.address) as client:
        answer = client.ask(get("/"))
        assert (answer.data, answer.body.complete, answer.body.ended) == (b"short", False, ended)


@pytest.mark.parametrize(("leave", "ended"), [("close", "fin"), ("reset", "reset")])
def test_an_upstream_says_how_its_peer_left(leave: str, ended: str) -> None:
    with Upstream(lambda connection, request: connection.wait_end() and None) as upstream:
        client = Client(upstream.address)
        client.send(get("/"))
        upstream.wait_requests(1)
        getattr(client, leave)()
        assert until(lambda: upstream.connections[0].ended, 5) == ended


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
    ],
)
def test_a_malformed_answer_is_not_repaired(raw: bytes) -> None:
    with pytest.raises(Malformed):
        asked(raw)


def test_no_answer_at_all_is_an_end() -> None:
    with pytest.raises(Ended):
        asked(b"")


def test_interim_answers_are_kept_apart() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    with Upstream(replies(hints + response(b"x"))) as upstream, Client(upstream.address) as client:
        answer = client.ask(get("/"))
    assert (answer.status, answer.data, [head.raw for head in answer.interim]) == (200, b"x", [hints])


def test_a_handler_may_change_while_a_connection_lives() -> None:
    with Upstream(replies(response(b"one"))) as upstream, Client(upstream.address) as client:
        assert client.ask(get("/")).data == b"one"
        upstream.handler = replies(response(b"two"))
        assert client.ask(get("/")).data == b"two"
        upstream.handler = by_target({b"/three": replies(response(b"three"))}, replies(response(b"other")))
        assert (client.ask(get("/three")).data, client.ask(get("/")).data) == (b"three", b"other")
        assert len(upstream.connections) == 1


def test_slices_stop_when_the_peer_has_answered() -> None:
    def refuses(connection: Connection, request: Request) -> None:
        connection.send(response(b"no", status="413 Content Too Large"))

    with Upstream(refuses) as upstream, Client(upstream.address) as client:
        head = get("/", "Content-Length: 100000", method="POST")
        client.send(head)
        assert until(lambda: not client.is_silent(0), 5)
        assert client.send_slices(b"a" * 100000, 100) is False
        assert client.read().status == 413
