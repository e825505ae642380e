"""The dashboard and the alert rules under config/: every expression returns data from a running proxy."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import yaml

from tests.support.client import Client, post
from tests.support.load import returns_the_body
from tests.support.past import fail_for_20_minutes
from tests.support.prometheus import Prometheus
from tests.support.proxy import Proxy
from tests.support.tools import require
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream

CONFIG = Path(__file__).resolve().parents[2] / "config"
RULES = CONFIG / "prometheus" / "alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((CONFIG / "grafana" / "shadowproxy.json").read_text())
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
VARIABLES = {"$instance": ".*", "$candidate": ".*", "$__rate_interval": "10s"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """(where it stands, the expression with Grafana's variables filled in)"""
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression, expression
            yield f"{panel['title']} {target['refId']}", expression
    for name, rule in ALERTS.items():
        yield name, rule["expr"]


def streams(connection: Connection, request: Request) -> None:
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2):
        connection.send(b"9\r\ndata: a\n\n\r\n")
    connection.send(b"0\r\n\r\n")


def resets(connection: Connection, request: Request) -> None:
    connection.reset()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It scrapes a proxy with traffic: a good candidate, one that fails, one that no route leads to, a full log."""
    require("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        production, twin, v2 = (stack.enter_context(Upstream(returns_the_body, keep=64)) for _ in range(3))
        bad = stack.enter_context(Upstream(resets, keep=64))
        streaming = stack.enter_context(Upstream(streams, keep=64))
        production.handler = lambda connection, request: (
            streams(connection, request) if request.target == b"/stream" else returns_the_body(connection, request)
        )
        v2.handler = production.handler
        config = {
            "production": {"url": production.url},
            "twin": {"url": twin.url},
            "candidates": [
                {"name": "v2", "url": v2.url},
                {"name": "bad", "url": bad.url, "breaker": {"failures": 5, "probe": "1h"}},
                {"name": "idle", "url": streaming.url},
            ],
            "routes": [
                {"match": {"path": "/nowhere"}, "candidates": ["idle"]},
                {"match": {"path": "/**"}, "candidates": ["v2", "bad"]},
            ],
            "pairs": {"keep": {"size": "64KiB", "free": "0B"}},
        }
        proxy = stack.enter_context(Proxy(folder / "proxy", config, start=False))
        fail_for_20_minutes(proxy.pairs, str(proxy.file), "bad")
        proxy.start()
        address = f"127.0.0.1:{proxy.admin_address[1]}"
        scraping = stack.enter_context(Prometheus(folder / "prometheus", [address]))
        stop = Event()
        traffic = Thread(target=_traffic, args=(proxy, stop), name="traffic")
        traffic.start()
        stack.callback(traffic.join, 20)
        stack.callback(stop.set)
        yield scraping


def _traffic(proxy: Proxy, stop: Event) -> None:
    with Client(proxy.address) as client:
        while not stop.wait(0.005):
            assert client.ask(post("/predict", b'{"x": 1}')).status == 200
            assert client.ask(post("/stream")).status == 200


EXPRESSIONS = list(expressions())


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_every_expression_returns_data(prometheus: Prometheus, where: str, expression: str) -> None:
    data = until(lambda: prometheus.query(expression), 60, f"data for {where}: {expression}", step_s=0.2)
    assert all(math.isfinite(float(one["value"][1])) for one in data), data


def test_legends_name_labels_that_the_expressions_return(prometheus: Prometheus) -> None:
    for panel in panels():
        for target in panel["targets"]:
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            by = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert wanted <= by, panel["title"]


@pytest.mark.parametrize(
    ("alert", "candidates"),
    [
        ("ShadowproxyCandidateFails", {"bad"}),
        ("ShadowproxyNoPairs", {"idle"}),
        ("ShadowproxyLowCoverage", {"bad"}),
        ("ShadowproxyBreakerOpen", {"bad"}),
    ],
)
def test_alerts_are_about_the_right_candidate(prometheus: Prometheus, alert: str, candidates: set[str]) -> None:
    def about() -> set[str]:
        return {one["metric"]["candidate"] for one in prometheus.query(ALERTS[alert]["expr"])}

    until(lambda: candidates <= about(), 20, f"{alert} about {candidates}", step_s=0.2)
    assert "twin" not in about()


def test_promtool_accepts_the_rules_and_the_scrape_configuration() -> None:
    promtool = require("promtool", "prometheus")
    for arguments in (["rules", str(RULES)], ["config", str(CONFIG / "prometheus" / "prometheus.yaml")]):
        checked = subprocess.run([promtool, "check", *arguments], capture_output=True, text=True, timeout=30)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alerts_are_those_that_are_promised() -> None:
    promised = {"CandidateFails", "NoPairs", "LowCoverage", "LogNearlyFull"}
    assert {f"Shadowproxy{name}" for name in promised} <= ALERTS.keys()
    assert ALERTS["ShadowproxyNoPairs"]["for"] == "15m"
    page = (CONFIG.parent / "docs" / "metrics.md").read_text()
    assert [name for name in ALERTS if f"`{name}`" not in page] == []


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}
    assert [panel["title"] for panel in panels() if not panel["description"].endswith(".")] == []
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another"
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance", "candidate"]
