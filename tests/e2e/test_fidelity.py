"""What goes through the proxy is what would have gone directly, byte for byte, but for a published list.

The list: hop-by-hop fields and what Connection names, framing, and on requests Via, X-Forwarded-* and X-Request-ID.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fidelity_cases import CASES, OK, Case
from tests.support.client import Answer, Client, get, post
from tests.support.message import Head
from tests.support.proxy import Proxy
from tests.support.upstream import Connection, Request, Upstream, echo, replies, response

HOPS = frozenset(b"connection keep-alive proxy-connection te transfer-encoding upgrade".split())
OURS = frozenset(b"via x-forwarded-for x-forwarded-proto x-forwarded-host x-request-id".split())


@dataclass(frozen=True, slots=True)
class Passed:
    """What one request and its answer looked like on the far sides."""

    method: bytes
    target: bytes
    request_lines: list[bytes]
    request_body: bytes
    request_trailers: list[tuple[bytes, bytes]]
    status: int
    reason: bytes
    answer_lines: list[bytes]
    answer_body: bytes
    answer_trailers: list[tuple[bytes, bytes]]
    interim: list[bytes]


def lines(head: Head, without: frozenset[bytes]) -> list[bytes]:
    """The field lines as they came, white space and all, but for those that may differ."""
    named = {token.strip().lower() for value in head.all(b"connection") for token in value.split(b",")}
    kept = zip(head.raw[:-4].split(b"\r\n")[1:], head.fields, strict=True)
    return [line for line, (name, _) in kept if name.lower() not in without | named]


def passed(request: Request, answer: Answer) -> Passed:
    assert request.body.complete
    assert answer.body.complete
    return Passed(
        request.method,
        request.target,
        lines(request.head, HOPS | OURS),
        request.data,
        request.body.trailers,
        answer.status,
        answer.reason,
        lines(answer.head, HOPS),
        answer.data,
        answer.body.trailers,
        [head.raw for head in answer.interim],
    )


def origin_form(target: bytes, method: bytes) -> bytes:
    """RFC 9112 §3.2.2 and §3.2.4: what a proxy makes of an absolute-form target."""
    if b"://" not in target or target.startswith(b"/"):
        return target
    rest = target.partition(b"://")[2]
    at = min((i for i in (rest.find(b"/"), rest.find(b"?")) if i >= 0), default=len(rest))
    path = rest[at:]
    if not path:
        return b"*" if method == b"OPTIONS" else b"/"
    return path if path.startswith(b"/") else b"/" + path


class Bench:
    def __init__(self, proxy: Proxy, production: Upstream) -> None:
        self.proxy = proxy
        self.production = production

    def run(self, case: Case, address: tuple[str, int]) -> tuple[Request, Answer]:
        self.production.handler = replies(case.answer, "close" if case.ends else "keep")
        before = len(self.production.requests)
        with Client(address) as client:
            client.send(case.request)
            answer = client.read(case.method)
        (request,) = self.production.requests[before:]
        return request, answer


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Upstream(keep=4 << 20) as production, Upstream(replies(OK)) as candidate:
        config = {"production": {"url": production.url}, "candidates": [{"name": "v2", "url": candidate.url}]}
        with Proxy(tmp_path_factory.mktemp("fidelity"), config) as proxy:
            yield Bench(proxy, production)


def by_id(case: Case) -> str:
    return case.id


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_same_through_the_proxy_as_directly(bench: Bench, case: Case) -> None:
    direct = passed(*bench.run(case, bench.production.address))
    request, answer = bench.run(case, bench.proxy.address)
    through = passed(request, answer)
    assert through.target == origin_form(direct.target, direct.method)
    old = case.request.split(b"\r\n")[0].endswith(b"HTTP/1.0")
    for name in Passed.__slots__:
        if name == "target" or (name == "interim" and old):
            continue
        assert getattr(through, name) == getattr(direct, name), name
    assert request.head.line.endswith(b" HTTP/1.1")
    assert answer.version == b"HTTP/1.1"


def test_what_production_is_told_beside_the_request(bench: Bench) -> None:
    bench.production.handler = echo
    with Client(bench.proxy.address) as client:
        said = json.loads(client.ask(get("/", "X-Forwarded-For: 1.2.3.4", "X-Shadow: 1", "X-Shadow-Candidate: x")).data)
    fields = {name.lower(): value for name, value in said["headers"]}
    assert fields["via"] == "1.1 shadowproxy"
    assert fields["x-forwarded-for"] == "127.0.0.1", "an untrusted client's own word is replaced"
    assert fields["x-forwarded-proto"] == "http"
    assert fields["x-forwarded-host"] == "model.test"
    assert len(fields["x-request-id"]) == 36
    assert fields["x-request-id"][14] == "7", "no UUIDv7"
    assert "x-shadow" not in fields
    assert "x-shadow-candidate" not in fields


def test_an_ipv4_client_of_a_socket_for_both_families_is_known_by_its_ipv4_address(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as taken, Upstream(echo) as production:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        taken.bind(("::", 0))
        port = taken.getsockname()[1]
        config = {
            "listen": f"[::]:{port}",
            "production": {"url": production.url},
            "trusted_proxies": ["127.0.0.0/8"],
        }
        with Proxy(tmp_path, config), Client(("127.0.0.1", port)) as client:
            said = json.loads(client.ask(get("/", "X-Forwarded-For: 192.0.2.7")).data)
    fields = {name.lower(): value for name, value in said["headers"]}
    assert fields["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("order-7_A.b", True),
        ("0af7651916cd43dd", True),
        ("a b", False),
        ("", False),
        ("x" * 4000, False),
        ("a\tb", False),
    ],
)
def test_a_request_id_is_kept_when_valid(bench: Bench, sent: str, kept: bool) -> None:
    bench.production.handler = echo
    with Client(bench.proxy.address) as client:
        said = json.loads(client.ask(get("/", f"X-Request-ID: {sent}")).data)
    (got,) = [value for name, value in said["headers"] if name.lower() == "x-request-id"]
    assert (got == sent) is kept


def test_te_trailers_is_sent_again(bench: Bench) -> None:
    bench.production.handler = echo
    with Client(bench.proxy.address) as client:
        said = json.loads(client.ask(get("/", "Connection: TE", "TE: trailers, gzip;q=0.1")).data)
    assert [value for name, value in said["headers"] if name == "TE"] == ["trailers"]
    assert [value for name, value in said["headers"] if name == "Connection"] == ["TE"]


def test_200_requests_on_one_connection(bench: Bench) -> None:
    bench.production.handler = echo
    with Client(bench.proxy.address) as client:
        for number in range(200):
            body = b"x" * (number * 37)
            answer = client.ask(post(f"/n/{number}", body) if number % 3 else get(f"/n/{number}"))
            said = json.loads(answer.data)
            assert said["target"] == f"/n/{number}"
            assert said["body"] == (body.decode() if number % 3 else "")


def pipeline(count: int) -> tuple[bytes, list[bytes]]:
    """A burst of requests of every framing, and their methods."""
    kinds = [
        lambda n: get(f"/p/{n}"),
        lambda n: post(f"/p/{n}", b"b" * n),
        lambda n: get(f"/p/{n}", method="HEAD"),
        lambda n: get(f"/p/{n}", "Transfer-Encoding: chunked", method="PUT") + b"3\r\nabc\r\n0\r\n\r\n",
        lambda n: post(f"/p/{n}", b"", method="DELETE"),
    ]
    requests = [kinds[n % len(kinds)](n) for n in range(count)]
    return b"".join(requests), [request.split(b" ", 1)[0] for request in requests]


def names_itself(connection: Connection, request: Request) -> None:
    """Each third answer is chunked; HEAD gets a head only."""
    body = connection.read_body(request)
    said = request.target + b" %d" % len(body)
    if request.method == b"HEAD":
        connection.send(b"HTTP/1.1 200 OK\r\nX-Said: %b\r\nContent-Length: 99\r\n\r\n" % said)
    elif int(request.target.rpartition(b"/")[2]) % 3:
        connection.send(response(said, f"X-Said: {said.decode()}"))
    else:
        head = b"HTTP/1.1 200 OK\r\nX-Said: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % said
        connection.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said))


@pytest.mark.parametrize("slice_bytes", [1 << 20, 1000, 7])
def test_50_pipelined_requests(bench: Bench, slice_bytes: int) -> None:
    bench.production.handler = names_itself
    raw, methods = pipeline(50)
    with Client(bench.proxy.address) as client:
        for at in range(0, len(raw), slice_bytes):
            client.send(raw[at : at + slice_bytes])
        for number, method in enumerate(methods):
            answer = client.read(method)
            size = {0: 0, 1: number, 2: 0, 3: 3, 4: 0}[number % 5]
            assert answer.head.get(b"x-said") == b"/p/%d %d" % (number, size)
            assert answer.data == (b"" if method == b"HEAD" else answer.head.get(b"x-said"))


def test_a_request_after_connection_close_is_not_served(bench: Bench) -> None:
    bench.production.handler = echo
    before = len(bench.production.requests)
    with Client(bench.proxy.address) as client:
        client.send(get("/last", "Connection: close") + get("/never"))
        answer = client.read()
        assert (answer.head.get(b"connection") or b"").lower() == b"close"
        assert client.rest() == b""
    assert [request.target for request in bench.production.requests[before:]] == [b"/last"]


def test_empty_lines_before_a_request_are_skipped(bench: Bench) -> None:
    """RFC 9112 §2.2: at least one CRLF in front of a request line."""
    bench.production.handler = echo
    with Client(bench.proxy.address) as client:
        assert json.loads(client.ask(b"\r\n" + get("/one")).data)["target"] == "/one"
        client.send(b"\r\n")
        assert json.loads(client.ask(get("/two")).data)["target"] == "/two"


def test_expect_100_continue(bench: Bench) -> None:
    """Production's 100 reaches the client before it sends its body."""

    def patient(connection: Connection, request: Request) -> None:
        assert request.get(b"expect") == b"100-continue"
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        echo(connection, request)

    bench.production.handler = patient
    head = get("/e", "Expect: 100-continue", "Content-Length: 5", method="POST")
    with Client(bench.proxy.address) as client:
        client.send(head)
        assert client.read_head().line == b"HTTP/1.1 100 Continue"
        client.send(b"hello")
        assert json.loads(client.read().data)["body"] == "hello"


def test_expect_100_continue_refused(bench: Bench) -> None:
    """A final answer in place of the 100: the client gets it, and sends no body."""
    bench.production.handler = lambda connection, request: connection.send(
        b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno"
    )
    with Client(bench.proxy.address) as client:
        client.send(get("/e", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        answer = client.read()
        assert (answer.status, answer.data) == (417, b"no")


def test_an_old_client_gets_no_interim_answers(bench: Bench) -> None:
    """RFC 9110 §15.2: a 1xx is not sent to an HTTP/1.0 client."""
    bench.production.handler = replies(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    with Client(bench.proxy.address) as client:
        answer = client.ask(b"GET / HTTP/1.0\r\nHost: model.test\r\n\r\n")
        assert (answer.status, answer.interim) == (200, [])
        assert client.wait_end() == "fin"


def test_an_old_client_gets_a_close_for_a_chunked_answer(bench: Bench) -> None:
    bench.production.handler = replies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    with Client(bench.proxy.address) as client:
        answer = client.ask(b"GET / HTTP/1.0\r\nHost: model.test\r\nConnection: keep-alive\r\n\r\n")
        assert answer.head.get(b"transfer-encoding") is None
        assert (answer.body.framing, answer.data, client.ended) == ("close", b"hello", "fin")


def test_old_keep_alive(bench: Bench) -> None:
    bench.production.handler = replies(OK)
    request = b"GET / HTTP/1.0\r\nHost: model.test\r\nConnection: keep-alive\r\n\r\n"
    with Client(bench.proxy.address) as client:
        assert client.ask(request).status == 200
        answer = client.ask(request)
        assert (answer.head.get(b"connection") or b"").lower() == b"keep-alive"


def test_copies_say_what_production_was_told(bench: Bench) -> None:
    """A copy has the same target, fields and body, marked, stripped of credentials, framed by Content-Length."""
    with Upstream(replies(OK)) as candidate:
        folder = bench.proxy.folder / "copies"
        config: dict[str, Any] = {
            "production": {"url": bench.production.url},
            "candidates": [{"name": "v2", "url": candidate.url}],
        }
        bench.production.handler = replies(OK)
        with Proxy(folder, config) as proxy, Client(proxy.address) as client:
            raw = get("/a%2Fb//c?d", "X-Keep: 1", "Cookie: a=b", "Authorization: x", "X-Api-Key: y", method="POST")
            raw = raw[:-2] + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
            assert client.ask(raw).status == 200
            (copy,) = candidate.wait_requests(1)
            proxy.wait_pairs(1)
    assert (copy.target, copy.data, copy.body.framing) == (b"/a%2Fb//c?d", b"helloyou", "length")
    assert (copy.get(b"x-shadow"), copy.get(b"x-shadow-candidate")) == (b"1", b"v2")
    assert copy.get(b"x-keep") == b"1"
    assert copy.get(b"host") == f"127.0.0.1:{candidate.port}".encode()
    assert not [name for name in (b"cookie", b"authorization", b"x-api-key") if copy.get(name)]


def test_the_table_is_large_enough() -> None:
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)
