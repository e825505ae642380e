"""TLS on both sides, with a private authority and client certificates."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority, Identity
from tests.support.client import Client, get, post
from tests.support.processes import open_files
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, echo, replies, response


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def local(authority: Authority) -> Identity:
    return authority.issue("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def both_sides(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, local: Identity
) -> Iterator[tuple[Proxy, Upstream]]:
    """TLS to the client, and TLS with a client certificate to production and to a candidate."""
    mine = authority.issue("proxy.test")
    upstream = {"tls": {"ca": authority.ca, "certificate": mine.certificate, "key": mine.key}}
    server = authority.server(local, ask_client=True)
    with Upstream(tls=server) as production, Upstream(tls=server) as candidate:
        config = {
            "tls": {"certificate": local.certificate, "key": local.key},
            "production": {"url": production.url, **upstream},
            "candidates": [{"name": "v2", "url": candidate.url, **upstream}],
        }
        with Proxy(tmp_path_factory.mktemp("tls"), config) as proxy:
            yield proxy, production


def test_tls_on_both_sides(both_sides: tuple[Proxy, Upstream], authority: Authority) -> None:
    proxy, production = both_sides
    production.handler = echo
    with Client(proxy.address, tls=authority.client()) as client:
        for number in range(20):
            said = json.loads(client.ask(post(f"/{number}", b"x" * number * 1000, f"X-Request-ID: t-{number}")).data)
            assert (said["target"], len(said["body"])) == (f"/{number}", number * 1000)
            # One after another: copies that overlap need connections of their own, and 5 of these a second are granted.
            log = proxy.wait_pairs(number + 1)
        assert dict(map(tuple, said["headers"]))["X-Forwarded-Proto"] == "https"
    assert {pair["shadow"]["outcome"] for pair in log.pairs} == {"complete"}
    assert len(production.connections) == 1


def test_a_long_answer_and_a_long_upload_over_tls(both_sides: tuple[Proxy, Upstream], authority: Authority) -> None:
    proxy, production = both_sides
    blob = bytes(range(256)) * 40_000
    production.handler = replies(response(blob))
    with Client(proxy.address, tls=authority.client(), keep=len(blob)) as client:
        assert client.ask(post("/", blob)).data == blob


def test_events_pass_at_once_over_tls(both_sides: tuple[Proxy, Upstream], authority: Authority) -> None:
    proxy, production = both_sides
    turns = [b"one", b"two", b"three"]

    def talks(connection: Connection, request: Request) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for turn in turns:
            connection.read_until(request, turn)
            connection.send(b"%x\r\n%b\r\n" % (len(turn), turn))
        connection.send(b"0\r\n\r\n")

    production.handler = talks
    with Client(proxy.address, tls=authority.client()) as client:
        client.send(get("/", f"Content-Length: {sum(map(len, turns))}", method="POST"))
        for turn in turns:
            client.send(turn)
            assert client.wire.through(turn).endswith(turn)


def test_what_a_tls_client_may_speak(both_sides: tuple[Proxy, Upstream], authority: Authority) -> None:
    proxy, production = both_sides
    production.handler = echo
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Client(proxy.address, tls=context) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() == "http/1.1"
        assert client.sock.version() in ("TLSv1.2", "TLSv1.3")
        assert client.ask(get("/")).status == 200


def test_a_plain_client_on_a_tls_port_gets_nothing_and_harms_nobody(
    both_sides: tuple[Proxy, Upstream], authority: Authority
) -> None:
    proxy, production = both_sides
    production.handler = echo
    seen = len(production.requests)
    with Client(proxy.address) as plain:
        plain.send_as_much_as_goes(get("/plain"))
        assert plain.wait_end() in ("fin", "reset")
    with Client(proxy.address, tls=authority.client()) as client:
        assert client.ask(get("/")).status == 200
    assert [request.target for request in production.requests[seen:]] == [b"/"]


def test_a_client_that_does_not_trust_the_proxy_goes(both_sides: tuple[Proxy, Upstream], stranger: Authority) -> None:
    proxy, _ = both_sides
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(proxy.address, tls=stranger.client())


def is_served(proxy: Proxy, context: ssl.SSLContext) -> bool:
    try:
        with Client(proxy.address, tls=context) as client:
            client.send(get("/refused"))
            return client.wire.fill()
    except OSError:
        return False


def test_clients_that_ask_and_hang_up_in_one_packet_use_up_no_connection(
    tmp_path: Path, authority: Authority, local: Identity
) -> None:
    """Request and close_notify are read in one turn: that in which the connection for the request is wished for."""
    with Upstream() as production:
        config = {
            "tls": {"certificate": local.certificate, "key": local.key},
            "production": {"url": production.url, "connections": 2},
        }
        with Proxy(tmp_path, config) as proxy:
            for _ in range(5):
                with Client(proxy.address, tls=authority.client()) as client:
                    assert isinstance(client.sock, ssl.SSLSocket)
                    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                    client.send(get("/gone"))
                    with contextlib.suppress(OSError):
                        client.sock.unwrap()
            with Client(proxy.address, tls=authority.client()) as client:
                assert client.ask(get("/")).status == 200


def test_a_handshake_that_does_not_go_on_counts_as_a_connection_and_ends_in_time(
    tmp_path: Path, authority: Authority, local: Identity
) -> None:
    with Upstream() as production:
        config = {
            "tls": {"certificate": local.certificate, "key": local.key},
            "production": {"url": production.url},
            "limits": {"connections": 20, "head_timeout": "1s"},
        }
        with Proxy(tmp_path, config) as proxy, contextlib.ExitStack() as silent:
            worker = proxy.worker()
            before = open_files(worker)
            socks = [silent.enter_context(socket.create_connection(proxy.address)) for _ in range(200)]
            until(lambda: sum(has_ended(sock) for sock in socks) >= 140, 5, "the end of those who are too many")
            assert open_files(worker) <= before + 20 + 40
            until(lambda: all(map(has_ended, socks)), 5, "the end of every silent handshake")
            until(lambda: open_files(worker) <= before, 5, "their files are given back")
            assert proxy.metrics()['shadowproxy_requests_total{code="503",route=""}'] >= 140
            with Client(proxy.address, tls=authority.client()) as client:
                assert client.ask(get("/")).status == 200


def has_ended(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def test_clients_must_show_a_certificate_where_one_is_asked(
    tmp_path: Path, authority: Authority, stranger: Authority, local: Identity
) -> None:
    tls = {"certificate": local.certificate, "key": local.key, "client_ca": authority.ca}
    with Upstream() as production, Proxy(tmp_path, {"production": {"url": production.url}, "tls": tls}) as proxy:
        with Client(proxy.address, tls=authority.client(authority.issue("client.test"))) as client:
            assert client.ask(get("/")).status == 200
        foreign = stranger.issue("client.test")
        for identity in (None, foreign):
            assert not is_served(proxy, authority.client(identity))
        assert [request.target for request in production.requests] == [b"/"]


# -- certificates of upstreams that will not do --------------------------------------------------------------------


def faulty(
    authority: Authority, stranger: Authority, local: Identity
) -> dict[str, tuple[ssl.SSLContext, dict[str, Any]]]:
    """By what is wrong: the upstream's context, and the proxy's `tls` towards it."""
    trusting = {"ca": authority.ca}
    return {
        "wrong-name": (authority.server(authority.issue("elsewhere.test")), trusting),
        "expired": (authority.server(authority.issue("127.0.0.1", expired=True)), trusting),
        "untrusted": (authority.server(local), {"ca": stranger.ca}),
        "system-authorities": (authority.server(local), {}),
        "no-client-certificate": (authority.server(local, ask_client=True), trusting),
    }


FAULTS = ["wrong-name", "expired", "untrusted", "system-authorities", "no-client-certificate"]


@pytest.mark.parametrize("fault", FAULTS[:3])
def test_production_that_cannot_be_trusted_is_502(
    tmp_path: Path, authority: Authority, stranger: Authority, local: Identity, fault: str
) -> None:
    context, tls = faulty(authority, stranger, local)[fault]
    with (
        Upstream(tls=context) as production,
        Proxy(tmp_path, {"production": {"url": production.url, "tls": tls}}) as proxy,
        Client(proxy.address) as client,
    ):
        answer = client.ask(post("/"))
        assert (answer.status, answer.kind) == (502, "connect_error")
        assert production.requests == []


def test_candidates_that_cannot_be_trusted_get_nothing(
    tmp_path: Path, authority: Authority, stranger: Authority, local: Identity
) -> None:
    with Upstream() as production:
        upstreams = {
            fault: (Upstream(tls=context), tls) for fault, (context, tls) in faulty(authority, stranger, local).items()
        }
        candidates = [{"name": fault, "url": upstream.url, "tls": tls} for fault, (upstream, tls) in upstreams.items()]
        config = {"production": {"url": production.url}, "candidates": candidates}
        with Proxy(tmp_path, config) as proxy, Client(proxy.address) as client:
            assert client.ask(post("/")).status == 200
            log = proxy.wait_pairs(len(FAULTS))
        for upstream, _ in upstreams.values():
            assert upstream.requests == []
            upstream.close()
        outcomes = {pair["candidate"]: pair["shadow"]["outcome"] for pair in log.pairs}
        # TLS 1.3 lets a client finish its handshake before the server has asked for a certificate in vain.
        assert outcomes.pop("no-client-certificate") in ("connect_error", "reset")
        assert outcomes == dict.fromkeys(FAULTS[:4], "connect_error")


@pytest.mark.parametrize(
    "tls", [{"server_name": "elsewhere.test"}, {"verify": False}], ids=["server-name", "no-verify"]
)
def test_what_the_operator_says_of_the_certificate_counts(
    tmp_path: Path, authority: Authority, tls: dict[str, Any]
) -> None:
    context = authority.server(authority.issue("elsewhere.test"))
    tls = {"ca": authority.ca, **tls}
    with (
        Upstream(tls=context) as production,
        Proxy(tmp_path, {"production": {"url": production.url, "tls": tls}}) as proxy,
        Client(proxy.address) as client,
    ):
        assert client.ask(post("/")).status == 200


def test_the_name_sent_is_that_of_the_url(tmp_path: Path, authority: Authority, local: Identity) -> None:
    asked: list[str | None] = []
    context = authority.server(local)
    context.sni_callback = lambda connection, name, _context: asked.append(name)
    with Upstream(tls=context) as production:
        url = f"https://localhost:{production.port}"
        with Proxy(tmp_path, {"production": {"url": url, "tls": {"ca": authority.ca}}}) as proxy:
            with Client(proxy.address) as client:
                assert client.ask(post("/")).status == 200
            until(lambda: asked, 5, "a handshake")
    assert set(asked) == {"localhost"}
