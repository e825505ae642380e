"""Hostile answers: from production they become a clean refusal or a cut connection, from a candidate a typed outcome.

Every case runs once against production and once against a candidate, all at the same time in threads of their own,
because some have to wait for a timeout.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from tests.e2e.hostile_cases import CASES, CUT, CUT_OR_CLEAN, Clean, Hostile, Kept
from tests.support.client import Answer, Client, get, post
from tests.support.ledger import Log
from tests.support.message import Ended, Malformed
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Upstream, by_target, response

T = TypeVar("T")

HANDLERS = {case.target: case.handler for case in CASES}
GOOD = b'{"good": true}'


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw: an answer or none, how its connection ended, and what it could make nothing of."""

    answer: Answer | None = None
    ended: str | None = None
    behind: bytes = b""
    fault: str = ""


def visit(proxy: Proxy, case: Hostile) -> Seen:
    with Client(proxy.address, timeout_s=12) as client:
        client.send(post(case.target.decode(), b"{}", f"X-Request-ID: {case.id}"))
        try:
            return _judge(client, client.read(b"POST"))
        except Ended as end:
            return Seen(ended=end.how)
        except (Malformed, OSError) as fault:
            return Seen(fault=f"{fault!r} after {bytes(client.wire.kept[:500])!r}")


def _judge(client: Client, answer: Answer) -> Seen:
    closing = (answer.head.get(b"connection") or b"").lower() == b"close"
    if answer.body.framing == "close" or not answer.body.complete or closing:
        return Seen(answer, client.ended, client.rest() if not client.ended else b"")
    # The request was read to its end, so the connection must be as good as before.
    after = client.ask(get("/after"))
    fault = "" if (after.status, after.data) == (200, GOOD) else f"the connection's next answer is {after}"
    return Seen(answer, client.ended, fault=fault)


def at_once(action: Callable[[Hostile], T], every_s: float = 0.0) -> dict[str, T]:
    """Run the action for all cases, in threads of their own, one begun `every_s`."""
    pause = threading.Event()
    with ThreadPoolExecutor(len(CASES)) as pool:
        begun = {}
        for case in CASES:
            begun[case.id] = pool.submit(action, case)
            pause.wait(every_s)
        return {id_: future.result() for id_, future in begun.items()}


def config(production: str, candidate: str) -> dict[str, Any]:
    return {
        "production": {"url": production, "timeouts": {"first_byte": "1500ms", "idle": "1500ms"}},
        "candidates": [
            {"name": "v2", "url": candidate, "timeout": "2s", "breaker": {"failures": 100000}, "max_in_flight": 500}
        ],
    }


def good(connection: Any, request: Any) -> None:
    connection.read_body(request)
    connection.send(response(GOOD, "Content-Type: application/json"))


@pytest.fixture(scope="module")
def from_production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    with Upstream(by_target(HANDLERS, good)) as production, Upstream(good) as candidate:
        folder = tmp_path_factory.mktemp("production")
        with Proxy(folder, config(production.url, candidate.url)) as proxy:
            yield at_once(lambda case: visit(proxy, case))


@pytest.fixture(scope="module")
def from_candidate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Seen], Log]]:
    with Upstream(good) as production, Upstream(by_target(HANDLERS, good)) as candidate:
        folder = tmp_path_factory.mktemp("candidate")
        with Proxy(folder, config(production.url, candidate.url)) as proxy:
            # A worker opens at most 50 connections a second to candidates; beyond that copies are dropped.
            seen = at_once(lambda case: visit(proxy, case), every_s=1 / 35)
            until(lambda: len(proxy.log().pairs) >= len(CASES), 20, "a pair for each case", step_s=0.1)
            yield seen, proxy.log()


def by_name(case: Hostile) -> str:
    return case.id


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_production(from_production: dict[str, Seen], case: Hostile) -> None:
    seen = from_production[case.id]
    assert seen.fault == ""
    if isinstance(case.client, Clean):
        answer = seen.answer
        assert answer is not None, f"no answer at all, the connection ended by {seen.ended}"
        assert answer.status == case.client.status, answer.head.raw
        assert answer.kind in case.client.kind, answer.head.raw
        assert answer.head.get(b"content-type") == b"application/problem+json"
        problem = json.loads(answer.data)
        assert (problem["status"], problem["instance"]) == (answer.status, case.id)
        assert seen.behind == b"", "something followed the refusal"
    elif isinstance(case.client, Kept):
        assert seen.answer is not None
        assert (seen.answer.status, seen.answer.data) == case.client
        assert seen.answer.kind == ""
    elif case.client == CUT_OR_CLEAN and seen.answer is not None and seen.answer.kind:
        assert (seen.answer.status, seen.behind) == (502, b"")
    else:
        assert case.client in (CUT, CUT_OR_CLEAN)
        assert seen.answer is not None, "production's head had come, and the client should have it"
        assert seen.answer.status == 200
        assert b"hello".startswith(seen.answer.data[:5]), "bytes that production did not send"
        # Close-delimited framing would hide the cut; only a reset shows it.
        assert not seen.answer.body.complete or seen.ended == "reset", "the client takes a cut answer for a whole one"


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_candidate_is_invisible(from_candidate: tuple[dict[str, Seen], Log], case: Hostile) -> None:
    seen = from_candidate[0][case.id]
    assert seen.fault == ""
    answer = seen.answer
    assert answer is not None
    assert (answer.status, answer.data, answer.kind) == (200, GOOD, "")


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_candidate_has_a_typed_outcome(from_candidate: tuple[dict[str, Seen], Log], case: Hostile) -> None:
    (pair,) = from_candidate[1].of(case.id)
    shadow, production = pair["shadow"], pair["production"]
    assert (production["outcome"], production["status"]) == ("complete", 200)
    assert shadow["outcome"] in case.outcomes, shadow
    if shadow["outcome"] == "complete":
        assert isinstance(case.client, Kept)
        assert shadow["status"] == case.client.status
    else:
        assert shadow["error"], "an outcome without a sentence that says why"
        assert shadow["bad"] is True
        assert pair["comparison"]["result"] == "incomparable"


def test_the_table_is_large_enough() -> None:
    assert len(CASES) >= 40
    assert len({case.id for case in CASES}) == len(CASES)
