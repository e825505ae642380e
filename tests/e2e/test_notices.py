"""A webhook hears of what happens to a running proxy, once, and a proxy that is started again repeats nothing."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from tests.support.client import ask, post
from tests.support.load import returns_the_body
from tests.support.past import fail_for_20_minutes
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, response


def resets(connection: Connection, request: Request) -> None:
    connection.reset()


class Webhook:
    """Keeps each notice once: one that is slow to be accepted comes again, with the id that it had."""

    def __init__(self) -> None:
        self.notices: list[dict[str, Any]] = []
        self.came: list[str] = []  # every notice's id

    def __call__(self, connection: Connection, request: Request) -> None:
        notice = json.loads(connection.read_body(request))
        if notice["id"] not in self.came:
            self.notices.append(notice)
        self.came.append(notice["id"])
        connection.send(response(b""))

    def wait(self, event: str, **facts: Any) -> dict[str, Any]:
        """The one notice of that event with those facts."""

        def found() -> list[dict[str, Any]]:
            return [n for n in list(self.notices) if n["event"] == event and facts.items() <= n["facts"].items()]

        [notice] = until(found, 20, f"a notice of {event} {facts}", step_s=0.05)
        return notice


def test_a_breaker_and_lost_pairs_are_told_once_over_two_lives(tmp_path: Path) -> None:
    hook = Webhook()
    with Upstream(returns_the_body) as production, Upstream(resets) as v2, Upstream(hook) as receiver:
        config = {
            "production": {"url": production.url},
            "candidates": [
                {"name": "v2", "url": v2.url, "breaker": {"failures": 5, "probe": "500ms"}},
                {"name": "brief", "url": production.url, "stop": {"after": "2s"}},
            ],
            "notify": [{"url": f"{receiver.url}/hook/secret"}],
            "mirror": {"shed": False},  # on a busy machine copies to `brief` would be lost too
        }
        with Proxy(tmp_path, config) as proxy:
            for _ in range(40):
                assert ask(proxy.address, post("/")).status == 200
            opened = hook.wait("breaker", open=True)
            assert opened["headline"] == (
                "Copies to v2 have been stopped in 1 of 1 workers: 5 copies failed within 10 s."
            )
            assert opened["link"] == f"{proxy.admin_url}/#candidate-v2"
            stopped = hook.wait("stopped")
            assert stopped["headline"].startswith("No more copies go to brief: it has run for 2s.")
            assert [one["paused"] for one in proxy.status()["candidates"]] == [False, True]
            lost = hook.wait("coverage", below=True)
            assert "Most were lost to breaker_open" in lost["headline"]
            v2.handler = returns_the_body
            until(lambda: _ask_and_look(proxy), 10, "a copy that gets through", step_s=0.05)
            closed = hook.wait("breaker", open=False)
            assert closed["headline"] == "Copies to v2 are sent again."
            proxy.stop()
            told, hook.came = set(hook.came), []
            proxy.start()
            for _ in range(40):
                ask(proxy.address, post("/"))
            hook.wait("coverage", below=False)
        assert not told & set(hook.came)
        events = [(n["event"], n["facts"].get("open", n["facts"].get("below"))) for n in hook.notices]
        told_once = [("breaker", False), ("breaker", True), ("coverage", False), ("coverage", True)]
        assert sorted(event for event in events if event[0] != "stopped") == told_once
        assert [event for event, _ in events].count("stopped") == 1


def _ask_and_look(proxy: Proxy) -> bool:
    ask(proxy.address, post("/"))
    return proxy.metrics().get('shadowproxy_breaker_open{candidate="v2"}') == 0


def test_a_verdict_a_promotion_and_a_rollback_are_told(tmp_path: Path) -> None:
    hook = Webhook()
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as v2, Upstream(hook) as receiver:
        config = {
            "production": {"name": "v1", "url": production.url},
            "candidates": [{"name": "v2", "url": v2.url, "stop": {"on": ["FAIL"], "after": "never"}}],
            "notify": [{"url": receiver.url, "on": ["verdict", "promoted", "rolled_back", "stopped"]}],
        }
        proxy = Proxy(tmp_path, config, start=False)
        fail_for_20_minutes(proxy.pairs, str(proxy.file), "v2")
        with proxy:
            proxy.start()
            verdict = hook.wait("verdict")
            assert verdict["title"] == "v2 instead of v1: FAIL"
            assert verdict["headline"].startswith("Do not promote v2.")
            stopped = hook.wait("stopped")
            assert stopped["facts"]["why"] == "its verdict is FAIL"
            steer(proxy, "resume")
            steer(proxy, "promote", candidate="v2", force="it is a test")
            promoted = hook.wait("promoted")
            assert promoted["headline"] == "v2 answers in place of v1 (verdict FAIL, forced: it is a test)."
            steer(proxy, "rollback")
            back = hook.wait("rolled_back")
            assert (back["candidate"], back["facts"]["to"]) == ("v2", "v1")
            counted = 'shadowproxy_deployments_total{action="%s"}'
            until(lambda: proxy.metrics()[counted % "rolled_back"] == 1, 5, "the rollback as a metric")
            assert proxy.metrics()[counted % "promoted"] == 1


def steer(proxy: Proxy, verb: str, **body: Any) -> None:
    connection = http.client.HTTPConnection(*proxy.admin_address, timeout=30)
    try:
        connection.request("POST", f"/api/v1/{verb}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()
