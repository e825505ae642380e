"""The admin API over real sockets, with a supervisor that answers as scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from shadowproxy.admin import asking
from shadowproxy.admin.app import build
from shadowproxy.admin.asking import Asker
from shadowproxy.admin.guard import SECURITY_HEADERS, bears, is_our_name
from shadowproxy.admin.view import View
from shadowproxy.settings.snapshot import Admin, Snapshot
from shadowproxy.wire.messages import Answer, Ask
from tests.admin.status import SNAPSHOT, status

TOKEN = "correct horse"


@asynccontextmanager
async def serving(
    token: str = "", told: dict[str, Any] | None = None, supervisor: Callable[[Ask], Answer | None] | None = None
) -> AsyncIterator[TestClient[Any, Any]]:
    """The API with a supervisor that answers `told`, or whatever `supervisor` returns (None: nothing)."""
    answers = told or status()

    def send(ask: Ask) -> None:
        body = answers["readiness"] if ask.verb == "readiness" else answers
        answer = supervisor(ask) if supervisor else Answer(ask.id, True, body)
        if answer is not None:
            asker.answered(answer)

    asker = Asker(send)
    snapshot: Snapshot = msgspec.structs.replace(SNAPSHOT, admin=Admin(listen="shadow.internal:9900", token=token))
    async with TestClient(TestServer(build(View(snapshot, asker)))) as client:
        yield client


async def is_problem(response: ClientResponse, status: int) -> dict[str, Any]:
    assert response.status == status
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json(content_type=None)
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith((".", "`"))
    return body


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
@pytest.mark.parametrize("token", ["", TOKEN])
async def test_probes_need_no_token(path: str, token: str) -> None:
    async with serving(token) as client:
        response = await client.get(path)
        assert (response.status, await response.text()) == (200, "ok\n")
        assert (await client.head(path)).status == 200


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
async def test_not_ready_says_why_and_live_stays_live(path: str) -> None:
    told = status(readiness={"ready": False, "reasons": ["no worker is ready"]})
    async with serving(told=told) as client:
        assert (await is_problem(await client.get(path), 503))["reasons"] == ["no worker is ready"]
        assert (await client.get("/livez")).status == 200


async def test_a_silent_supervisor_is_not_ready_but_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asker.ask, "__defaults__", (0.05, None))
    async with serving(supervisor=lambda ask: None) as client:
        assert "did not answer" in (await is_problem(await client.get("/readyz"), 503))["detail"]
        await is_problem(await client.get("/metrics"), 503)
        assert (await client.get("/livez")).status == 200


async def test_a_supervisor_that_is_gone_is_said_at_once() -> None:
    asker = Asker(lambda ask: asker.orphaned())
    with pytest.raises(asking.NoAnswerError, match="gone"):
        await asker.ask("status")
    with pytest.raises(asking.NoAnswerError, match="gone"):
        await asker.ask("status")


async def test_questions_without_an_answer_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_OPEN", 0)
    with pytest.raises(asking.NoAnswerError, match="already without an answer"):
        await Asker(lambda ask: None).ask("status")


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/status", "/nothing"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
    ],
)
async def test_everything_else_needs_the_token_where_one_is_set(
    path: str, headers: dict[str, str], expected: int
) -> None:
    async with serving(TOKEN) as client:
        response = await client.get(path, headers=headers)
        if expected == 401:
            await is_problem(response, 401)
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        else:
            assert response.status == (404 if path == "/nothing" else 200)


HOSTS = [
    ("localhost:9900", True),
    ("LOCALHOST", True),
    ("localhost.", True),
    ("127.0.0.1:9900", True),
    ("[::1]:9900", True),
    ("[::1]", True),
    ("10.2.3.4", True),
    ("shadow.internal:9900", True),
    ("evil.example", False),
    ("evil.example:9900", False),
    ("localhost.evil.example", False),
    ("127.0.0.1.evil.example:9900", False),
    ("127.0.0.1@evil.example", False),
    ("", False),
    ("[::1", True),
    ("[::1]evil.example", False),
    ("[::1]evil.example:9900", False),
    ("[evil]:9900", False),
    (":9900", False),
]


@pytest.mark.parametrize(("host", "ours"), HOSTS)
def test_which_hosts_are_ours(host: str, ours: bool) -> None:
    assert is_our_name(host, "shadow.internal:9900") is ours


@pytest.mark.parametrize("link", ["https://shadow.example", "https://shadow.example:8443/models", "http://[::2]"])
def test_where_others_reach_it_is_ours_too(link: str) -> None:
    """A front that speaks TLS passes the name on that a browser was given, and the page brings no token yet."""
    host = link.split("/")[2]
    assert is_our_name(host, "0.0.0.0:9900", link)
    assert not is_our_name("evil.example", "0.0.0.0:9900", link)
    assert not is_our_name("", "0.0.0.0:9900", link)


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/api/v1/status"])
async def test_a_rebound_name_is_refused_unless_it_brings_the_token(path: str) -> None:
    async with serving() as client:
        await is_problem(await client.get(path, headers={"Host": "evil.example"}), 403)
    async with serving(TOKEN) as client:
        await is_problem(await client.get(path, headers={"Host": "evil.example"}), 403)
        headers = {"Host": "prometheus-target", "Authorization": f"Bearer {TOKEN}"}
        assert (await client.get(path, headers=headers)).status == 200


def test_no_token_set_is_no_token_given() -> None:
    assert bears("Bearer ", "") is True  # equal, which is why `admission` asks for a token that is set first
    assert bears("Bearer \udcff", TOKEN) is False


async def test_what_the_router_refuses_is_a_problem_too() -> None:
    async with serving() as client:
        assert "/nothing" in (await is_problem(await client.get("/nothing"), 404))["detail"]
        response = await client.post("/metrics")
        await is_problem(response, 405)
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}
        await is_problem(await client.options("/metrics", headers={"Origin": "http://evil.example"}), 405)


async def test_a_fault_is_a_problem_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(told={"readiness": {}}) as client:
        body = await is_problem(await client.get("/api/v1/status"), 500)
        assert "KeyError" not in str(body)


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/api/v1/status", "/nothing"])
async def test_every_answer_carries_the_security_headers_and_no_cors(path: str) -> None:
    async with serving() as client:
        response = await client.get(path, headers={"Origin": "http://evil.example"})
        assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_status_is_one_page() -> None:
    async with serving() as client:
        page = await (await client.get("/api/v1/status")).json()
    v2, v3 = page["candidates"]
    assert (v2["name"], v2["sample"], v2["in_flight"], v2["agreement"]) == ("v2", 0.5, 7, 0.9)
    assert v2["coverage"] == 0.8  # 40 of 100 − 50; the earlier trial's rows are not its own
    assert v2["ledger"]["dropped"] == {"in_flight": 6, "overload": 2}
    assert (v3["coverage"], v3["agreement"], v3["paused"], v3["ledger"]) == (None, None, True, {})
    assert page["twin"]["coverage"] == 1.0
    assert page["requests"] == 100
    assert [worker["slot"] for worker in page["workers"]] == [0, 1]
    assert page["recorder"]["pid"] == 1
    assert page["log"] == {"dir": "pairs", "bytes": 4096.0, "unlogged": {"disk": 1.0}}
    assert page["production"] == {"name": "v1", "version": "abc", "urls": ["http://127.0.0.1:1"]}
    assert page["started"] == "2026-11-23T22:57:26.104+00:00"
    assert page["ledger"][0]["worker"] == 0
