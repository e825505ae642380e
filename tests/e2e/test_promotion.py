"""A deployment as a team does it: traffic until the verdict says PASS, `promote`, `rollback`; nothing is forced."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, wait_for_pass
from tests.support.load import Load, reaches, returns_the_body
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream

# Gates that some hundred requests decide: what is tested is the way to a PASS and from it, not how sharp it is.
WIDE: dict[str, Any] = {
    "statistics": {"bucket": "250ms", "at_least": {"pairs": 50}},
    "gates": ["error_rate_increase<=20pp", "excess_disagreement<=20pp", "slower_share{by=100%}<=50pp"],
}


@pytest.fixture
def upstreams() -> Iterator[dict[str, Upstream]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Upstream(returns_the_body, keep=1000)) for name in ("v1", "v2", "twin")}


def command(proxy: Proxy, *words: str) -> subprocess.CompletedProcess[str]:
    """`shadowproxy WORDS --admin URL`, as an operator types it."""
    return subprocess.run(
        [sys.executable, "-m", "shadowproxy", *words, "--admin", proxy.admin_url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.timeout(240)
def test_an_equal_candidate_passes_is_promoted_and_rolled_back(tmp_path: Path, upstreams: dict[str, Upstream]) -> None:
    answered = dict.fromkeys(upstreams, 0)  # as users' own requests; copies are marked
    pause = threading.Event()  # models need some time; without it the log grows faster than it is judged

    def counts(name: str) -> Any:
        def handler(connection: Connection, request: Request) -> None:
            answered[name] += request.head.get(b"x-shadow") is None
            pause.wait(0.02)
            returns_the_body(connection, request)

        return handler

    for name, upstream in upstreams.items():
        upstream.handler = counts(name)
    config = {
        "production": {"name": "v1", "url": upstreams["v1"].url},
        "twin": {"url": upstreams["twin"].url, "max_in_flight": 1000},
        "candidates": [{"name": "v2", "url": upstreams["v2"].url, "max_in_flight": 1000, "timeout": "1s"}],
        **WIDE,
    }
    with Proxy(tmp_path, config, steered=True) as proxy:
        to = Api(proxy.admin_url.removeprefix("http://"))
        early = command(proxy, "promote", "v2")
        assert (early.returncode, early.stdout) == (1, "")
        assert "its verdict is not known yet, not PASS" in early.stderr
        load = Load(proxy.address, clients=2)
        refused = to.post("/api/v1/promote", {"candidate": "v2"})
        assert (refused.status, refused.body["verdict"]) == (409, None)
        judged = wait_for_pass(to, "v2")
        assert answered["v2"] == 0
        assert {gate["verdict"] for gate in judged["gates"]} == {"PASS"}

        promoted = command(proxy, "promote", "v2")
        assert (promoted.returncode, promoted.stderr) == (0, "")
        assert "v2 answers now" in promoted.stdout
        assert to.get("/api/v1/status")["production"]["name"] == "v2"
        by_v1, by_v2, at = answered["v1"], answered["v2"], load.count  # some are under way just now
        until(reaches(load, at + 100), 30, "answers of v2")
        assert answered["v2"] > by_v2 + 90
        assert answered["v1"] <= by_v1 + 2  # what was under way
        former = to.get("/api/v1/candidates")["items"]
        assert [(one["name"], one["gated"]) for one in former] == [("v1", False)]

        back = command(proxy, "rollback")
        assert (back.returncode, back.stderr) == (0, "")
        assert to.get("/api/v1/status")["production"]["name"] == "v1"
        by_v1, at = answered["v1"], load.count
        until(reaches(load, at + 100), 30, "answers of v1")
        assert answered["v1"] > by_v1 + 90
        load.stop()
        load.wait()
        assert load.lost == []

        undone, done = to.get("/api/v1/history")["items"]
        assert (undone["action"], undone["from"], undone["to"]) == ("rolled_back", "v2", "v1")
        assert (done["action"], done["from"], done["to"]) == ("promoted", "v1", "v2")
        assert (done["verdict"], done["forced"], done["rolled_back"]) == ("PASS", None, undone["at"])
        assert done["pairs"] >= 50
        assert 0 < done["to_verdict_s"] <= done["to_promotion_s"]
        # The trial that passed was of v2 against v1 before; what begins now is judged anew.
        again = command(proxy, "promote", "v2")
        assert again.returncode == 1
        proxy.stop()
