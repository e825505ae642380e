"""Whatever a candidate does, production's answers are the same, and the ledger says what became of each copy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.client import Client, get, post
from tests.support.load import Load, returns_the_body
from tests.support.processes import forget_memory_peak, memory_peak
from tests.support.proxy import Proxy, reserve
from tests.support.until import LEAST_S
from tests.support.upstream import Connection, Request, Upstream, replies, response

BLOCK = b"a" * 65536


def hangs(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.wait_end()


def never_reads(connection: Connection, request: Request) -> None:
    threading.Event().wait(0.2)
    connection.wait_end()


def floods(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while not connection.ended:
        connection.send(BLOCK)


def flaps(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    if hash(request.data) % 2:
        connection.reset()
    else:
        connection.send(response(b"other"))


def large(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n")
    for _ in range(20_000_000 // 50_000):
        connection.send(BLOCK[:50_000])


def trickles(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not connection.ended:
        connection.send(b"a")
        threading.Event().wait(0.2)


def slow(connection: Connection, request: Request) -> None:
    body = connection.read_body(request)
    threading.Event().wait(0.1)
    connection.send(response(body))


CANDIDATES = {
    "good": returns_the_body,
    "hangs": hangs,
    "floods": floods,
    "flaps": flaps,
    "fails": replies(response(b'{"error": "no"}', status="500 Internal Server Error")),
    "garbage": replies(b"garbage\r\n\r\n", "close"),
    "resets": lambda connection, request: connection.reset(),
    "large": large,
    "trickles": trickles,
    "slow": slow,
    "unread": never_reads,
    "closes": replies(response(b"{}", "Connection: close"), "close"),
}
OVER_TLS = {"closes"}
NEVER_WHOLE = {"hangs", "trickles", "unread", "large"}  # only these are given up: the others may take their time


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Upstream]]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    tls = authority.server(authority.issue("localhost", "127.0.0.1"))
    started = {
        name: Upstream(handler, keep=65536, tls=tls if name in OVER_TLS else None)
        for name, handler in CANDIDATES.items()
    }
    yield started
    for upstream in started.values():
        upstream.close()


def test_every_bad_candidate_at_once(tmp_path: Path, candidates: dict[str, Upstream]) -> None:
    total = 600
    with Upstream(returns_the_body) as production, reserve() as nobody:
        urls = {name: upstream.url for name, upstream in candidates.items()}
        urls["dead"] = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        config = {
            "production": {"url": production.url},
            "candidates": [
                {
                    "name": name,
                    "url": url,
                    "timeout": "1s" if name in NEVER_WHOLE else "60s",
                    "answer_up_to": "1MiB",
                    "max_in_flight": 20,
                    "tls": {"verify": False},
                }
                for name, url in urls.items()
            ],
        }
        with Proxy(tmp_path, config) as proxy:
            worker = proxy.worker()
            forget_memory_peak(worker)
            before = memory_peak(worker)
            load = Load(proxy.address, total=total)
            load.wait()
            assert load.lost == []
            assert load.count == total
            assert memory_peak(worker) - before < 96 << 20, "more than mirror.max_buffered and a margin"
            log = proxy.stop()
    expected = {
        "good": {"complete"},
        "hangs": {"timeout"},
        "floods": {"truncated"},
        "flaps": {"complete", "reset"},
        "fails": {"complete"},
        "garbage": {"protocol_error"},
        "resets": {"reset", "truncated"},
        "dead": {"connect_error"},
        "large": {"truncated", "timeout"},
        "trickles": {"timeout"},
        "slow": {"complete"},
        "unread": {"timeout"},
        "closes": {"complete", "connect_error"},  # a handshake has one second
    }
    for name, outcomes in expected.items():
        assert log.total(name, "requests") == total
        assert set(log.reasons(name, "finished")) <= outcomes, name
        assert log.total(name, "sent") > 0, name
        assert log.reasons(name, "unlogged") == {}, name


def mirrored(tmp_path: Path, candidate: Upstream, **settings: Any) -> Proxy:
    production = settings.pop("production")
    more = settings.pop("more", {})
    config = {
        "production": {"url": production.url},
        "candidates": [{"name": "v2", "url": candidate.url, **settings}],
        **more,
    }
    return Proxy(tmp_path, config)


def test_what_is_not_copied_and_why(tmp_path: Path) -> None:
    with Upstream() as production, Upstream() as candidate:
        with (
            mirrored(tmp_path, candidate, production=production, mirror_up_to="1KiB") as proxy,
            Client(proxy.address) as client,
        ):
            assert client.ask(get("/")).status == 200
            assert client.ask(post("/", method="PUT")).status == 200
            assert client.ask(post("/", b"a" * 1025)).status == 200
            chunk = b"401\r\n" + b"a" * 1025 + b"\r\n0\r\n\r\n"
            assert client.ask(get("/", "Transfer-Encoding: chunked", method="POST") + chunk).status == 200
            assert client.ask(post("/fits", b"a" * 1024)).status == 200
            candidate.wait_requests(1)
            log = proxy.stop()
        assert [request.target for request in candidate.requests] == [b"/fits"]
    assert log.total("v2", "requests") == 5
    assert log.reasons("v2", "excluded") == {"method": 2}
    assert log.reasons("v2", "dropped") == {"body_too_large": 2}
    assert log.total("v2", "logged") == 1


def test_requests_of_no_route_are_proxied_and_counted(tmp_path: Path) -> None:
    routes = {"routes": [{"name": "predict", "match": {"path": "/v1/*"}}]}
    with Upstream() as production, Upstream() as candidate:
        with (
            mirrored(tmp_path, candidate, production=production, more=routes) as proxy,
            Client(proxy.address) as client,
        ):
            for target in ("/other", "/v1/m", "/v1/m/deeper"):
                assert client.ask(post(target)).status == 200
            log = proxy.stop()
        assert [request.target for request in candidate.requests] == [b"/v1/m"]
    assert log.total("v2", "requests") == 3
    assert log.total("v2", "unmatched") == 2
    assert {row["route"] for row in log.ledger if row["unmatched"]} == {None}


def test_one_copy_in_flight_at_a_time(tmp_path: Path) -> None:
    with Upstream() as production, Upstream(hangs) as candidate:
        settings = {"production": production, "max_in_flight": 1, "timeout": "60s"}
        with mirrored(tmp_path, candidate, **settings) as proxy, Client(proxy.address) as client:
            for _ in range(10):
                assert client.ask(post("/")).status == 200
            candidate.wait_requests(1)
            candidate.drop_connections()
            log = proxy.stop()
        assert len(candidate.requests) == 1
    assert log.reasons("v2", "dropped") == {"in_flight": 9}
    assert log.total("v2", "finished") == 1


def test_a_breaker_opens_and_closes_again(tmp_path: Path) -> None:
    with Upstream() as production, Upstream(lambda connection, request: connection.reset()) as candidate:
        probe_s = 0.5
        breaker = {"failures": 3, "window": "1h", "probe": f"{probe_s}s"}
        with mirrored(tmp_path, candidate, production=production, breaker=breaker) as proxy:
            with Client(proxy.address) as client:
                for number in range(3):
                    since = time.monotonic()
                    assert client.ask(post(f"/bad/{number}")).status == 200
                    proxy.wait_pairs(number + 1)
                for number in range(3, 40):
                    assert client.ask(post(f"/bad/{number}")).status == 200
                probes = (time.monotonic() - since) // probe_s
                assert len(candidate.requests) <= 3 + probes < 40, "the breaker did not open"
                candidate.handler = replies(response(b"{}"))
                deadline = time.monotonic() + LEAST_S
                while len(candidate.requests) < 10:
                    assert client.ask(post("/good")).status == 200
                    assert time.monotonic() < deadline, "the breaker does not close"
            log = proxy.stop()
    assert log.reasons("v2", "dropped")["breaker_open"] > 0
    assert log.reasons("v2", "finished")["complete"] >= 7


def test_a_timed_out_copy_is_given_up_on_time(tmp_path: Path) -> None:
    with (
        Upstream() as production,
        Upstream(hangs) as candidate,
        mirrored(tmp_path, candidate, production=production, timeout="500ms") as proxy,
        Client(proxy.address) as client,
    ):
        assert client.ask(post("/")).status == 200
        (pair,) = proxy.wait_pairs(1).pairs
    assert pair["shadow"]["outcome"] == "timeout"
    assert 490 <= pair["shadow"]["timing_ms"]["total"] <= 4500  # where nothing is set it would be 5 s at the least
    assert pair["comparison"]["censored"] is False


def test_a_request_that_production_failed_is_a_pair_all_the_same(tmp_path: Path) -> None:
    with (
        Upstream(replies(b"garbage\r\n\r\n", "close")) as production,
        Upstream() as candidate,
        mirrored(tmp_path, candidate, production=production) as proxy,
        Client(proxy.address) as client,
    ):
        assert client.ask(post("/")).status == 502
        (pair,) = proxy.wait_pairs(1).pairs
    assert pair["production"]["outcome"] == "protocol_error"
    assert pair["shadow"]["outcome"] == "complete"


def test_a_sample_keeps_its_share_and_nests(tmp_path: Path) -> None:
    """The same key is in both samples or in the larger one only."""
    with Upstream(returns_the_body) as production, Upstream() as small, Upstream() as large:
        config = {
            "production": {"url": production.url},
            "candidates": [
                {"name": "small", "url": small.url, "sample": "20%"},
                {"name": "large", "url": large.url, "sample": "60%"},
            ],
        }
        with Proxy(tmp_path, config) as proxy:
            load = Load(proxy.address, clients=4, total=500)
            load.wait()
            assert load.lost == []
            log = proxy.stop()
    ids = {name: {pair["id"] for pair in log.pairs if pair["candidate"] == name} for name in ("small", "large")}
    assert ids["small"] < ids["large"]
    for name, share in (("small", 0.2), ("large", 0.6)):
        # 500 draws: 5 standard deviations are at most 0.11.
        assert abs(log.total(name, "sent") / 500 - share) < 0.11
        assert sum(log.total(name, fate) for fate in ("sampled_out", "sent", "dropped")) == 500


@pytest.mark.parametrize("twin", ["url", "production"])
def test_a_twin_rides_along(tmp_path: Path, twin: str) -> None:
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as copy, Upstream() as candidate:
        config = {
            "production": {"url": production.url},
            "twin": {"url": copy.url if twin == "url" else "production"},
            "candidates": [{"name": "v2", "url": candidate.url}],
        }
        with Proxy(tmp_path, config) as proxy:
            with Client(proxy.address) as client:
                for number in range(10):
                    assert client.ask(post("/", b"%d" % number)).data == b"%d" % number
            log = proxy.stop()
        assert (len(copy.requests), len(production.requests)) == ((10, 10) if twin == "url" else (0, 20))
    assert len(log.pairs) == 10
    for pair in log.pairs:
        assert pair["twin"]["outcome"] == "complete"
        assert pair["noise"]["result"] == "same"
        assert pair["comparison"]["result"] == "different"
