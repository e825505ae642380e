"""A twin ends by itself after its time, goes on when it is told to, and holds nobody else up."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from tests.support.client import ask, post
from tests.support.load import returns_the_body
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Upstream


def told(proxy: Proxy, path: str, body: dict[str, Any], method: str = "POST") -> int:
    connection = http.client.HTTPConnection(proxy.admin_url.removeprefix("http://"), timeout=10)
    connection.request(method, f"/api/v1/{path}", json.dumps(body), {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_twin_stops_after_its_time_and_is_resumed_by_its_name(tmp_path: Path) -> None:
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as v2, Upstream(returns_the_body) as twin:
        config = {
            "production": {"url": production.url},
            "twin": {"url": twin.url, "stop": {"after": "1s"}},
            "candidates": [{"name": "v2", "url": v2.url}],
        }
        with Proxy(tmp_path / "proxy", config) as proxy:
            until(lambda: proxy.status()["twin"]["paused"], 30, "the twin's end", step_s=0.05)
            ask(proxy.address, post("/", b"1", "X-Request-ID: alone"))
            assert told(proxy, "candidates/twin", {"sample": "1%"}, "PATCH") == 404
            assert told(proxy, "resume", {"candidate": "twin"}) == 200
            assert not proxy.status()["twin"]["paused"]
            ask(proxy.address, post("/", b"2", "X-Request-ID: beside"))
            assert told(proxy, "pause", {"candidate": "twin"}) == 200
            assert [one["key"] for one in json.loads(proxy.admin_get("/api/v1/config")[1])["drift"]] == ["twin.paused"]
            ask(proxy.address, post("/", b"3", "X-Request-ID: alone-again"))
            assert told(proxy, "resume", {}) == 200
            ask(proxy.address, post("/", b"4", "X-Request-ID: beside-again"))
            log = proxy.stop()
    twins = {pair["id"]: pair["twin"] is not None for pair in log.pairs}
    assert twins == {"alone": False, "beside": True, "alone-again": False, "beside-again": True}
    assert log.reasons("twin", "excluded") == {"paused": 2}
    assert log.reasons("v2", "excluded") == {}
    assert len(v2.requests) == 4
    assert len(twin.requests) == 2
