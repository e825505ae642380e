"""Failures that other mirrors are known for, each as a test that this one passes.

the failure                                                             seen in
the next request of a connection waits for a slow mirror                nginx, ingress-nginx, APISIX, Kong
an upload is paced by a mirror that reads slowly                        Envoy since 1.33
slow candidates use up the threads that serve production                Diffy
one slow target holds up the copies for the others                      GoReplay, Traefik
copies pile up without a limit                                          Traefik, teeproxy, LiteLLM, Python rivals
a mirror that cannot be set up is a 500 for the client                  nginx, Traefik
production that is slower than some timeout is an empty 200             teeproxy
production's answer is garbled where a retry meets a mirror             Traefik
a failed copy is sent twice, and its error reaches no report            Diffy
a body above a buffer's size is silently not mirrored, or cut           Envoy, Istio, HAProxy's spoa-mirror, GoReplay
bodies that are not text are broken, forms refused                      Diffy
the query is lost where the path is rewritten                           HAProxy's spoa-mirror
Host gets a suffix, or is the other's                                   Envoy, Istio
some paths are silently never mirrored                                  LiteLLM
secrets and marks leak from one side to the other                       LiteLLM, every plain mirror
answers of the two sides cannot be joined                               Seldon Core
a connection a copy                                                     APISIX, teeproxy ("too many open files")
an upload that its client broke off is mirrored all the same            Envoy
where production fails nothing is recorded                              Python rivals
a mirror that is taken out of the configuration crashes the proxy       Envoy
"""

from __future__ import annotations

import gzip
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.client import Answer, Client, ask, get, post
from tests.support.load import Load, returns_the_body
from tests.support.processes import open_files
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Handler, Request, Upstream, echo, response

AT_ONCE_S = 10.0  # what a request takes that waits for nobody, on a machine that does much else
PATIENCE = "60s"  # how long a copy that hangs is waited for: whoever waits for it is late without doubt


def hangs(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.wait_end()


def never_reads(connection: Connection, request: Request) -> None:
    until(lambda: connection.ended or connection.is_closed, 60, "the end of a connection that is not read")


def resets(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.reset()


def returns_bytes(connection: Connection, request: Request) -> None:
    connection.send(response(connection.read_body(request), "Content-Type: application/octet-stream"))


class Bench:
    """Production, a candidate `v2` that a test may spoil, and a candidate `v3` that is well."""

    def __init__(self, folder: Path) -> None:
        self.production, self.v2, self.v3 = (Upstream(echo, keep=4 << 20) for _ in range(3))
        own = {"timeout": PATIENCE, "breaker": {"failures": 1_000_000}, "mirror_up_to": "4MiB"}
        config = {
            "production": {"url": self.production.url},
            "candidates": [
                {"name": "v2", "url": self.v2.url, **own},
                {"name": "v3", "url": self.v3.url, **own},
            ],
            "pairs": {"store_up_to": "4MiB"},
        }
        self.proxy = Proxy(folder, config)
        self._numbers = iter(range(1_000_000))

    def close(self) -> None:
        try:
            self.proxy.stop()
        finally:
            for upstream in (self.production, self.v2, self.v3):
                upstream.close()

    def id(self) -> str:
        return f"peer-{next(self._numbers)}"

    def client(self) -> Client:
        return Client(self.proxy.address)

    def pairs(self, id_: str, count: int = 2) -> dict[str, dict[str, Any]]:
        """A request's pairs by candidate, once there are so many."""
        found = until(lambda: self._pairs(id_, count), 10, f"{count} pairs of {id_}", step_s=0.05)
        return {pair["candidate"]: pair for pair in found}

    def _pairs(self, id_: str, count: int) -> list[dict[str, Any]]:
        found = self.proxy.log().of(id_)
        return found if len(found) >= count else []


@pytest.fixture(scope="module")
def module_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("peers"))
    yield made
    made.close()


@pytest.fixture
def bench(module_bench: Bench) -> Iterator[Bench]:
    yield module_bench
    for upstream in (module_bench.production, module_bench.v2, module_bench.v3):
        upstream.handler = echo
    module_bench.v2.drop_connections()


def timed(client: Client, request: bytes) -> tuple[Answer, float]:
    before = time.monotonic()
    return client.ask(request), time.monotonic() - before


@pytest.mark.parametrize("spoiled", [hangs, never_reads], ids=lambda handler: handler.__name__)
def test_the_next_request_of_a_connection_does_not_wait_for_a_copy(bench: Bench, spoiled: Handler) -> None:
    bench.v2.handler = spoiled
    with bench.client() as client:
        times = [timed(client, post("/next", b'{"n": 1}'))[1] for _ in range(30)]
    assert max(times) < AT_ONCE_S


def test_an_upload_is_not_paced_by_a_candidate_that_does_not_read(bench: Bench) -> None:
    bench.v2.handler = never_reads
    body = random.Random(1).randbytes(3 << 20)
    bench.production.handler = lambda connection, request: connection.send(
        response(b"%d" % len(connection.read_body(request)))
    )
    with bench.client() as client:
        for _ in range(3):
            answer, seconds = timed(client, post("/upload", body))
            assert answer.data == b"%d" % len(body)
            assert seconds < AT_ONCE_S


def test_eighty_hanging_copies_leave_production_and_the_other_candidate_alone(bench: Bench) -> None:
    bench.v2.handler = hangs
    with bench.client() as client:
        client.ask(post("/warm"))
    before = len(bench.v3.requests)
    bench.production.handler = returns_the_body
    with bench.client() as client:
        for number in range(80):  # one after another: where copies overlap, `v3` would need connections of its own
            assert client.ask(post("/", b"%d" % number)).data == b"%d" % number
            bench.v3.wait_requests(before + number + 1)


def test_copies_under_way_are_limited_and_the_rest_is_counted(tmp_path: Path) -> None:
    with Upstream(returns_the_body) as production, Upstream(hangs) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "max_in_flight": 5, "timeout": "60s"}],
        }
        with Proxy(tmp_path, config) as proxy:
            load = Load(proxy.address, clients=4, total=100)
            load.wait()
            assert load.lost == []
            assert len(candidate.connections) <= 5
            candidate.drop_connections()
            log = proxy.stop()
    assert log.reasons("v2", "dropped") == {"in_flight": 95}


def test_a_candidate_that_cannot_be_set_up_is_no_fault_of_the_client_s(tmp_path: Path) -> None:
    """A name that nobody has, a TLS server that is none, a port that nobody listens on."""
    with Upstream(returns_the_body) as production, Upstream() as plain:
        urls = {
            "nameless": "http://no-such-name.invalid:1",
            "no-tls": plain.url.replace("http", "https"),
            "closed": "http://127.0.0.1:1",
        }
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": name, "url": url} for name, url in urls.items()],
        }
        with Proxy(tmp_path, config) as proxy:
            with Client(proxy.address) as client:
                for number in range(5):
                    answer, seconds = timed(client, post("/", b"%d" % number))
                    assert (answer.status, answer.data) == (200, b"%d" % number)
                    assert seconds < AT_ONCE_S
            log = proxy.stop()
    for name in urls:
        assert set(log.reasons(name, "finished")) == {"connect_error"}


def test_production_may_be_slower_than_any_copy_s_timeout(tmp_path: Path) -> None:
    def slow(connection: Connection, request: Request) -> None:
        body = connection.read_body(request)
        threading.Event().wait(0.7)
        connection.send(response(body))

    with Upstream(slow) as production, Upstream(hangs) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "timeout": "200ms"}],
        }
        with Proxy(tmp_path, config) as proxy:
            answer = ask(proxy.address, post("/", b"slow and right"))
            assert (answer.status, answer.data) == (200, b"slow and right")
            (pair,) = proxy.wait_pairs(1).pairs
    assert pair["production"]["outcome"] == "complete"
    assert (pair["shadow"]["outcome"], pair["comparison"]["censored"]) == ("timeout", True)


def test_a_request_that_production_gets_twice_is_answered_once_and_copied_once(bench: Bench) -> None:
    """Production closes a used connection without a word: the request goes out again, its copies do not."""
    with bench.client() as client:
        client.ask(post("/v2/models/m/infer"))

        def gone_once(connection: Connection, request: Request) -> None:
            bench.production.handler = echo
            connection.read_body(request)
            connection.close()

        bench.production.handler = gone_once
        id_ = bench.id()
        answer = client.ask(post("/v2/models/m/infer", b'{"a": 1}', f"X-Request-ID: {id_}"))
        assert answer.status == 200
        assert json.loads(answer.data)["body"] == '{"a": 1}'
        assert client.is_silent(0.05)
    bench.pairs(id_)
    for upstream, times in ((bench.production, 2), (bench.v2, 1), (bench.v3, 1)):
        assert [request.get(b"x-request-id") for request in upstream.requests].count(id_.encode()) == times


def test_a_copy_that_fails_is_sent_once_and_its_error_is_in_the_log(bench: Bench) -> None:
    with bench.client() as client:
        warm, id_ = bench.id(), bench.id()
        client.ask(post("/warm", b"{}", f"X-Request-ID: {warm}"))
        bench.pairs(warm)
        bench.v2.handler, seen = resets, len(bench.v2.requests)
        assert client.ask(post("/fails", b"{}", f"X-Request-ID: {id_}")).status == 200
        pairs = bench.pairs(id_)
    assert len(bench.v2.requests) == seen + 1
    shadow = pairs["v2"]["shadow"]
    assert (shadow["outcome"], shadow["bad"]) == ("reset", True)
    assert shadow["error"]
    assert pairs["v3"]["shadow"]["outcome"] == "complete"


@pytest.mark.parametrize("size", [16 << 10, 65 << 10, (1 << 20) + 1, 4 << 20])
def test_a_body_is_copied_whole_or_its_absence_is_counted(bench: Bench, size: int) -> None:
    body = random.Random(size).randbytes(size)
    bench.production.handler = bench.v2.handler = bench.v3.handler = returns_the_body
    with bench.client() as client:
        id_ = bench.id()
        assert client.ask(post("/long", body, f"X-Request-ID: {id_}")).data == body
    bench.pairs(id_)
    (request,) = [one for one in bench.v2.requests if one.get(b"x-request-id") == id_.encode()]
    assert request.data == body


def test_a_body_that_is_too_long_is_counted(tmp_path: Path) -> None:
    with Upstream(returns_the_body) as production, Upstream() as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "mirror_up_to": "64KiB"}],
        }
        with Proxy(tmp_path, config) as proxy:
            body = bytes((64 << 10) + 1)
            assert ask(proxy.address, post("/", body)).data == body
            log = proxy.stop()
        assert candidate.requests == []
    assert log.reasons("v2", "dropped") == {"body_too_large": 1}


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG\r\n\x1a\n\0\xff\r\n--x--\r\n'
)
BODIES: dict[str, tuple[bytes, str]] = {
    "binary": (bytes(range(256)) * 8, "Content-Type: application/octet-stream"),
    "gzip": (gzip.compress(b'{"a": 1}' * 50, mtime=0), "Content-Encoding: gzip"),
    "multipart": (FORM, "Content-Type: multipart/form-data; boundary=x"),
    "form": (b"a=1&b=%FF", "Content-Type: application/x-www-form-urlencoded"),
    "latin": ("Zürich".encode("latin-1"), "Content-Type: text/plain; charset=iso-8859-1"),
    "empty": (b"", "Content-Type: application/json"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_of_any_kind_is_copied_byte_for_byte(bench: Bench, kind: str) -> None:
    body, content = BODIES[kind]
    for upstream in (bench.production, bench.v2, bench.v3):
        upstream.handler = returns_bytes
    with bench.client() as client:
        id_ = bench.id()
        assert client.ask(post("/kinds", body, content, f"X-Request-ID: {id_}")).data == body
    pairs = bench.pairs(id_)
    (request,) = [one for one in bench.v2.requests if one.get(b"x-request-id") == id_.encode()]
    assert request.data == body
    name, value = content.encode().split(b": ", 1)
    assert request.get(name) == value
    assert pairs["v2"]["shadow"]["body_bytes"] == len(body)
    assert pairs["v2"]["comparison"]["result"] == "same"


def test_a_rewritten_path_keeps_its_query_and_a_copy_has_its_candidate_s_host(tmp_path: Path) -> None:
    with Upstream() as production, Upstream() as candidate:
        settings = {"path": {"replace": "/v1/models/a", "with": "/v1/models/b"}}
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, **settings}],
        }
        with Proxy(tmp_path, config) as proxy:
            ask(proxy.address, post("/v1/models/a:predict?next=/v1/models/a&x=%2F", host="model.example:8080"))
            (copy,) = candidate.wait_requests(1)
    (original,) = production.requests
    assert original.target == b"/v1/models/a:predict?next=/v1/models/a&x=%2F"
    assert copy.target == b"/v1/models/b:predict?next=/v1/models/a&x=%2F"
    assert (original.get(b"host"), copy.get(b"host")) == (b"model.example:8080", b"127.0.0.1:%d" % candidate.port)


def test_every_request_is_copied_or_counted_whatever_its_path(tmp_path: Path) -> None:
    targets = ["/", "/v1/chat/completions", "/v1/messages", "/v1/responses", "/v2/models/m/infer", "/a//b/../c?x=1"]
    with Upstream() as production, Upstream() as candidate:
        config = {"production": {"url": production.url}, "candidates": [{"name": "v2", "url": candidate.url}]}
        with Proxy(tmp_path, config) as proxy:
            with Client(proxy.address) as client:
                for target in targets:
                    assert client.ask(post(target)).status == 200
                assert client.ask(get("/v1/models")).status == 200
                candidate.wait_requests(5)
            log = proxy.stop()
    assert {request.target.decode() for request in candidate.requests} == {*targets} - {"/v1/responses"}
    assert log.total("v2", "requests") == 7
    assert log.reasons("v2", "excluded") == {"stateful": 1, "method": 1}
    assert log.total("v2", "logged") == 5


def test_secrets_stay_with_production_and_marks_with_copies(bench: Bench) -> None:
    secrets = ("Authorization: Bearer s", "Cookie: session=s", "X-Api-Key: s", "Proxy-Authorization: Basic s")
    forged = ("X-Shadow: 1", "X-Shadow-Candidate: v9")
    id_ = bench.id()
    with bench.client() as client:
        client.ask(post("/secrets", b"{}", *secrets, *forged, f"X-Request-ID: {id_}"))
    bench.pairs(id_)
    (original,), (copy,) = (
        [one for one in upstream.requests if one.get(b"x-request-id") == id_.encode()]
        for upstream in (bench.production, bench.v2)
    )
    for line in secrets:
        name, _, value = line.partition(": ")
        assert original.get(name.encode()) == value.encode()
        assert copy.get(name.encode()) is None
    assert [original.get(name) for name in (b"x-shadow", b"x-shadow-candidate")] == [None, None]
    assert [copy.head.all(name) for name in (b"x-shadow", b"x-shadow-candidate")] == [[b"1"], [b"v2"]]


def test_all_sides_of_a_request_have_one_id_even_if_the_client_gave_none(bench: Bench) -> None:
    seen = [len(upstream.requests) for upstream in (bench.production, bench.v2, bench.v3)]
    with bench.client() as client:
        client.ask(post("/one-id"))
    ids = set()
    for upstream, before in zip((bench.production, bench.v2, bench.v3), seen, strict=True):
        (request,) = upstream.wait_requests(before + 1)[before:]
        ids.add(request.get(b"x-request-id"))
    (id_,) = ids
    assert id_ is not None
    assert set(bench.pairs(id_.decode())) == {"v2", "v3"}


def test_copies_use_their_connections_again_and_leave_no_file_open(bench: Bench) -> None:
    worker = bench.proxy.worker()
    with bench.client() as client:
        client.ask(post("/warm"))
        seen, connections = len(bench.v3.requests), len(bench.v3.connections)
        for number in range(50):
            client.ask(post("/again"))
            bench.v3.wait_requests(seen + number + 1)  # on a busy machine copies would overlap otherwise
        assert len(bench.v3.connections) - connections <= 2
    before = open_files(worker)
    bench.v2.handler, seen = hangs, len(bench.v2.requests)
    with bench.client() as client:
        for _ in range(20):
            client.ask(post("/hangs"))
    bench.v2.wait_requests(seen + 20)
    assert open_files(worker) > before
    bench.v2.drop_connections()
    until(lambda: open_files(worker) <= before + 2, 10, "the files of hung copies are closed", step_s=0.05)


def test_an_upload_that_its_client_broke_off_is_not_copied(bench: Bench) -> None:
    seen = len(bench.production.requests)
    id_ = bench.id()
    with bench.client() as client:
        client.send(post("/broken", bytes(100_000), f"X-Request-ID: {id_}")[:-50_000])
        bench.production.wait_requests(seen + 1)
    with bench.client() as client:
        last = bench.id()
        client.ask(post("/whole", b"{}", f"X-Request-ID: {last}"))
    bench.pairs(last)
    for upstream in (bench.v2, bench.v3):
        assert id_.encode() not in [one.get(b"x-request-id") for one in upstream.requests]


def test_where_production_fails_the_copies_answers_are_recorded(bench: Bench) -> None:
    bench.production.handler = resets
    id_ = bench.id()
    with bench.client() as client:
        assert client.ask(post("/broken", b"{}", f"X-Request-ID: {id_}")).status == 502
    for pair in bench.pairs(id_).values():
        assert pair["production"]["outcome"] == "reset"
        assert pair["shadow"]["outcome"] == "complete"


def test_a_candidate_may_be_taken_out_while_its_copies_are_under_way(tmp_path: Path) -> None:
    with Upstream(returns_the_body) as production, Upstream(hangs) as candidate:
        config = {"production": {"url": production.url}, "candidates": [{"name": "v2", "url": candidate.url}]}
        with Proxy(tmp_path, config) as proxy:
            with Client(proxy.address) as client:
                for _ in range(5):
                    client.ask(post("/"))
                candidate.wait_requests(5)
                proxy.file.write_text(yaml.safe_dump({**proxy.config, "candidates": []}))
                proxy.signal(signal.SIGHUP)
                until(lambda: any(event.get("event") == "reload.done" for event in proxy.events()), 10, "the reload")
                for _ in range(5):
                    assert client.ask(post("/")).status == 200
                candidate.drop_connections()
                log = proxy.wait_pairs(5)
            assert len(candidate.requests) == 5
    assert {pair["shadow"]["outcome"] for pair in log.pairs} <= {"reset", "truncated"}


def test_a_client_s_departure_ends_no_copy(bench: Bench) -> None:
    go = threading.Event()

    def waits(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            if number == 2:
                go.wait(10)
            event = b"data: %d\n\n" % number
            connection.send(b"%x\r\n%b\r\n" % (len(event), event))
        connection.send(b"0\r\n\r\n")

    bench.v2.handler = waits
    bench.production.handler = hangs
    seen, id_ = len(bench.v2.requests), bench.id()

    def ended() -> int:
        """How many; which of production's connections it was is the pool's to say."""
        return sum(connection.ended is not None for connection in bench.production.connections)

    already = ended()
    with bench.client() as client:
        client.send(post("/leaves", b"{}", f"X-Request-ID: {id_}"))
        bench.v2.wait_requests(seen + 1)
    until(lambda: ended() > already, 5, "the end of production's exchange")
    go.set()
    pair = bench.pairs(id_)["v2"]
    assert pair["production"]["outcome"] == "client_aborted"
    assert (pair["shadow"]["outcome"], pair["shadow"]["stream"]["events"]) == ("complete", 5)
