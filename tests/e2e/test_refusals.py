"""Malformed and ambiguous requests: refused with the right status and kind, once, and nothing reaches any upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.refusal_cases import BODIES, BODY_LIMIT, HEADS, Case
from tests.support.client import Answer, Client, get
from tests.support.proxy import Proxy
from tests.support.upstream import Upstream

ALL = [*HEADS, *BODIES]
BEHIND = b"GET /behind HTTP/1.1\r\nHost: model.test\r\n\r\n"
LONG = 4096  # bytes; longer requests are cut into slices of 97, shorter ones into single bytes


class Bench:
    """One proxy with everything behind it, and a fence: a good request that shows what came before it."""

    def __init__(self, proxy: Proxy, production: Upstream, candidate: Upstream, twin: Upstream) -> None:
        self.proxy = proxy
        self.production = production
        self.candidate = candidate
        self.twin = twin
        self._fence = Client(proxy.address)
        self._count = 0

    def arrived(self, since: tuple[int, int]) -> tuple[list[bytes], int]:
        """Targets and number of bytes that reached production since `mark()`, the fence excepted."""
        self._count += 1
        target = f"/fence/{self._count}"
        assert self._fence.ask(get(target)).status == 200
        requests, received = since
        come = self.production.requests[requests:]
        (fence,) = [request for request in come if request.target == target.encode()]
        rest = [request for request in come if request is not fence]
        return [request.target for request in rest], self.production.received - received - len(fence.head.raw)

    def mark(self) -> tuple[int, int]:
        return len(self.production.requests), self.production.received

    def completed(self, since: tuple[int, int]) -> list[bytes]:
        """Targets of the requests that reached production to their last byte, the fences excepted."""
        come = self.production.requests[since[0] :]
        return [r.target for r in come if r.body.complete and not r.target.startswith(b"/fence/")]

    def close(self) -> None:
        self._fence.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Upstream() as production, Upstream() as candidate, Upstream() as twin:
        config = {
            "production": {"url": production.url, "keep_alive": "30s"},
            "twin": {"url": twin.url},
            "candidates": [{"name": "v2", "url": candidate.url}],
            "mirror": {"methods": ["GET", "POST", "PUT", "HEAD", "OPTIONS"]},
            "limits": {"body": f"{BODY_LIMIT}B"},
            "routes": [
                {"name": "fence", "match": {"path": "/fence/*"}, "candidates": []},
                {"name": "everything", "match": {"path": "/**"}},
            ],
        }
        with Proxy(tmp_path_factory.mktemp("refusals"), config) as proxy:
            bench = Bench(proxy, production, candidate, twin)
            yield bench
            bench.close()


def refused(client: Client, case: Case) -> Answer:
    """Exactly one answer, the expected one, then a clean end of the connection."""
    answer = client.read()
    assert (answer.status, answer.kind) in case.expected, f"{case.why}: {answer.head.raw!r} {answer.data!r}"
    assert answer.head.get(b"content-type") == b"application/problem+json"
    problem = json.loads(answer.data)
    assert problem["status"] == answer.status
    said = (answer.head.get(b"x-request-id") or b"").decode()
    assert said == problem["instance"] == problem["request_id"], "a refusal without an id to ask about"
    assert said
    assert (answer.head.get(b"connection") or b"").lower() == b"close"
    assert client.rest() == b"", "more than one answer"
    assert client.ended == "fin", "the refusal was followed by a reset, which may destroy it on its way"
    return answer


def by_id(case: Case) -> str:
    return case.id


@pytest.mark.parametrize("case", ALL, ids=by_id)
def test_refused_when_sent_whole(bench: Bench, case: Case) -> None:
    since = bench.mark()
    with Client(bench.proxy.address) as client:
        client.send(case.raw)
        refused(client, case)
    assert bench.arrived(since) == ([], 0), case.why


@pytest.mark.parametrize("case", ALL, ids=by_id)
def test_refused_with_a_second_request_behind(bench: Bench, case: Case) -> None:
    since = bench.mark()
    with Client(bench.proxy.address) as client:
        client.send(case.raw + BEHIND)
        refused(client, case)
    assert bench.arrived(since) == ([], 0), case.why


@pytest.mark.parametrize("case", HEADS, ids=by_id)
def test_head_refused_byte_by_byte(bench: Bench, case: Case) -> None:
    since = bench.mark()
    with Client(bench.proxy.address) as client:
        client.send_slices(case.raw, 1 if len(case.raw) <= LONG else 97)
        refused(client, case)
    assert bench.arrived(since) == ([], 0), case.why


@pytest.mark.parametrize("case", BODIES, ids=by_id)
def test_body_refused_byte_by_byte(bench: Bench, case: Case) -> None:
    """The body streams before its fault is seen: production's message is broken off, and no copy was made."""
    since = bench.mark()
    with Client(bench.proxy.address) as client:
        client.send_slices(case.raw, 1 if len(case.raw) <= LONG else 97)
        refused(client, case)
    bench.arrived(since)
    assert bench.completed(since) == [], case.why


@pytest.mark.parametrize("case", ALL[::5], ids=by_id)
def test_refused_after_a_good_request_on_the_same_connection(bench: Bench, case: Case) -> None:
    with Client(bench.proxy.address) as client:
        assert client.ask(get("/fence/before")).status == 200
        since = bench.mark()
        client.send(case.raw)
        refused(client, case)
    assert bench.arrived(since) == ([], 0), case.why


def test_no_copy_of_anything_was_made(bench: Bench) -> None:
    since = bench.mark()
    assert bench.arrived(since) == ([], 0)
    assert bench.candidate.received == 0
    assert bench.twin.received == 0
    assert bench.production.faults == []


def test_the_table_is_large_enough() -> None:
    assert len(ALL) >= 150
    assert len({case.id for case in ALL}) == len(ALL)
    assert len({case.raw for case in ALL}) >= len(ALL) - 2
