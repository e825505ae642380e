"""The admin process itself, under the real supervisor, beside fake workers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from shadowproxy.settings.snapshot import Admin, Candidate, Limits
from tests.support.processes import is_alive
from tests.support.supervised import Supervised
from tests.support.until import LEAST_S, until


def get(proxy: Supervised, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.event("proxy.ready")["admin"], timeout=LEAST_S)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def page(proxy: Supervised) -> dict[str, Any]:
    status, body = get(proxy, "/api/v1/status")
    assert status == 200
    told: dict[str, Any] = json.loads(body)
    return told


def test_it_tells_what_runs_and_counts_never_fall(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",), workers=1) as proxy:
        proxy.ready()
        assert get(proxy, "/readyz") == (200, b"ok\n")
        for _ in range(3):
            proxy.ask()
        until(lambda: b"shadowproxy_requests_total 3.0" in get(proxy, "/metrics")[1], 5)
        [victim] = proxy.pids("worker")
        os.kill(victim, signal.SIGKILL)
        proxy.event("worker.ready", restarts=1)
        assert b"shadowproxy_requests_total 3.0" in get(proxy, "/metrics")[1]
        proxy.ask()
        until(lambda: b"shadowproxy_requests_total 4.0" in get(proxy, "/metrics")[1], 5)
        told = page(proxy)
        assert told["workers"][0]["restarts"] == 1
        assert len(told["ledger"]) == 2  # both boots of the one worker
        assert told["candidates"][0]["ledger"]["requests"] == 4


NO_REQUESTS = {
    "no Host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a long line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long header": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
}


def test_what_is_no_request_is_a_problem_too_and_no_traceback(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",)) as proxy:
        proxy.ready()
        host, port = proxy.event("proxy.ready")["admin"].rsplit(":", 1)
        for what, data in NO_REQUESTS.items():
            with socket.create_connection((host, int(port)), timeout=LEAST_S) as connection:
                connection.sendall(data)
                response = http.client.HTTPResponse(connection)
                response.begin()
                said = json.loads(response.read())
                assert (response.status, said["status"]) == (400, 400), what
                assert response.headers["Content-Type"] == "application/problem+json"
                assert response.headers["Server"] == "shadowproxy"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert get(proxy, "/livez")[0] == 200
        proxy.event("admin.no_request")
        assert "Traceback" not in "".join(str(event) for event in proxy.events)


BROKEN = {
    "an expectation of its own": (417, b"POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n"),
    "an expectation where nothing is": (417, b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n"),
    "no gzip": (400, b"POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"),
}
LEFT = b"POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"


def test_what_is_wrong_around_a_body_is_a_problem_too_and_no_traceback(tmp_path: Path) -> None:
    """Also whoever leaves in the middle of one: that is no fault of ours."""
    with Supervised(tmp_path, real=("admin",)) as proxy:
        proxy.ready()
        host, port = proxy.event("proxy.ready")["admin"].rsplit(":", 1)
        for what, (status, head) in BROKEN.items():
            with socket.create_connection((host, int(port)), timeout=LEAST_S) as connection:
                connection.sendall(head + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
                response = http.client.HTTPResponse(connection)
                response.begin()
                said = json.loads(response.read())
                assert (response.status, said["status"]) == (status, status), what
                assert response.headers["Content-Type"] == "application/problem+json"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        with socket.create_connection((host, int(port)), timeout=LEAST_S) as connection:
            connection.sendall(LEFT)
        for why in ("RequestPayloadError", "ConnectionResetError"):
            proxy.event("admin.no_body", path="/api/v1/pause", why=why)
        assert get(proxy, "/livez")[0] == 200
        assert [event for event in proxy.events if event["level"] == "error"] == []


def test_not_ready_while_production_cannot_be_reached(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",), behave={"worker": "unhealthy"}) as proxy:
        proxy.ready()
        status, body = get(proxy, "/readyz")
        assert status == 503
        assert json.loads(body)["reasons"] == ["production cannot be reached; unhealthy"]
        assert get(proxy, "/livez")[0] == 200


def test_a_dead_recorder_leaves_it_ready(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",), behave={"recorder": "crashes"}) as proxy:
        proxy.ready()
        assert get(proxy, "/readyz")[0] == 200
        assert page(proxy)["recorder"]["state"] in ("down", "starting")


def test_not_ready_from_the_signal_on_while_workers_drain(tmp_path: Path) -> None:
    limits = Limits(drain_delay=20.0, drain=20.0)
    with Supervised(tmp_path, real=("admin",), behave={"worker": "never drains"}, limits=limits) as proxy:
        proxy.ready().signal(signal.SIGTERM)
        until(lambda: get(proxy, "/readyz")[0] == 503, 3)
        assert json.loads(get(proxy, "/readyz")[1])["reasons"] == ["draining: the proxy is about to end"]
        assert get(proxy, "/livez")[0] == 200
        proxy.signal(signal.SIGTERM)
        assert proxy.wait(15) == 0


def test_a_reload_changes_what_it_tells_and_asks_for(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",)) as proxy:
        proxy.ready()
        candidates = (Candidate(name="v9", url="http://127.0.0.1:9"),)
        proxy.configure(candidates=candidates, admin=Admin(listen="127.0.0.1:0", token="secret"))
        proxy.signal(signal.SIGHUP)
        proxy.event("reload.done")
        until(lambda: get(proxy, "/api/v1/status")[0] == 401, 5)
        status, body = get(proxy, "/api/v1/status", Authorization="Bearer secret")
        assert status == 200
        assert [candidate["name"] for candidate in json.loads(body)["candidates"]] == ["v9"]


def test_without_a_supervisor_it_is_not_ready_and_ends(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",), limits=Limits(drain_delay=1.0, drain=2.0)) as proxy:
        proxy.ready()
        admin = page(proxy)
        assert admin["ready"] is True
        proxy.signal(signal.SIGKILL)
        assert get(proxy, "/readyz")[0] == 503
        proxy.process.wait(LEAST_S)
        until(lambda: not any(is_alive(pid) for pid in proxy.seen), 10)
