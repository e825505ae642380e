"""Processes die, and nobody loses more than the contract says: the recorder, the admin, a worker, the parent, all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.client import Client, ask, get, post
from tests.support.ledger import Log, assert_laws
from tests.support.load import Load, reaches, returns_the_body
from tests.support.message import Ended
from tests.support.processes import is_alive
from tests.support.proxy import Proxy
from tests.support.until import settles, until
from tests.support.upstream import Connection, Request, Upstream

FLUSH_S = 1.0
ROOT = Path(__file__).resolve().parents[2]


class Models:
    """Production, its twin and two candidates, all of which answer with the request's body."""

    def __init__(self, stack: ExitStack) -> None:
        self.production, self.twin, self.v2, self.v3 = (
            stack.enter_context(Upstream(returns_the_body, keep=4096)) for _ in range(4)
        )

    def config(self, **more: Any) -> dict[str, Any]:
        ample = {"max_in_flight": 1000}
        return {
            "production": {"url": self.production.url},
            "twin": {"url": self.twin.url, **ample},
            "candidates": [{"name": "v2", "url": self.v2.url, **ample}, {"name": "v3", "url": self.v3.url, **ample}],
            **more,
        }


@pytest.fixture
def models() -> Iterator[Models]:
    with ExitStack() as stack:
        yield Models(stack)


def assert_every_copy_logged(log: Log, requests: int) -> None:
    """Every request counted, every copy that was sent finished and logged."""
    for candidate in ("v2", "v3"):
        assert log.total(candidate, "requests") == requests
        assert log.total(candidate, "eligible") == requests
        assert log.total(candidate, "sent") + log.total(candidate, "dropped") == requests
        assert log.reasons(candidate, "unlogged") == {}, "a pair was lost"
        assert log.total(candidate, "logged") == log.total(candidate, "sent")
    assert log.total("twin", "sent") == log.total("twin", "finished")


# -- the recorder and the admin ------------------------------------------------------------------------------------


def test_10000_requests_while_the_recorder_dies_three_times_and_the_admin_once(tmp_path: Path, models: Models) -> None:
    total = 10_000
    with Proxy(tmp_path, models.config(), allowed="recorder|admin|child|exit|died|killed|restart") as proxy:
        load = Load(proxy.address, total=total)
        for done, role in ((1500, "recorder"), (3500, "admin"), (5000, "recorder"), (8000, "recorder")):
            until(reaches(load, done), 60, f"{done} answers", step_s=0.01)
            proxy.kill_one(role)
        load.wait()
        assert load.lost == []
        assert load.count == total
        until(lambda: proxy.pids("recorder") and proxy.pids("admin"), 15, "the successors of what was killed")
        proxy.wait_ready()
        log = proxy.stop()
    assert_every_copy_logged(log, total)
    assert {int(pair["id"].removeprefix("load-")) for pair in log.pairs} <= set(load.answered)
    for pair in log.pairs:
        assert (pair["production"]["outcome"], pair["shadow"]["outcome"]) == ("complete", "complete")
        assert pair["comparison"]["result"] == "same"
    # Copies may be withheld while nobody can record them, but not for long: a recorder is back within seconds.
    assert log.total("v2", "logged") > total * 0.5


def test_answers_do_not_wait_for_a_recorder_that_keeps_dying(tmp_path: Path, models: Models) -> None:
    with Proxy(tmp_path, models.config(), allowed="recorder|disk|pairs|child|exit|died") as proxy:
        for number in range(20):
            if number % 5 == 0:
                proxy.kill_one("recorder")
            answer = ask(proxy.address, post("/", b"%d" % number))
            assert (answer.status, answer.data) == (200, b"%d" % number)
        until(lambda: proxy.pids("recorder"), 15, "a recorder")
        log = proxy.stop()
    assert log.total("v2", "sent") + log.total("v2", "dropped") == 20
    assert log.reasons("v2", "unlogged") == {}


# -- SIGTERM -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [False, True], ids=["parent", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_under_load_loses_no_request_and_no_pair(
    tmp_path: Path, models: Models, number: signal.Signals, group: bool
) -> None:
    # Long enough for each client to be told `Connection: close`, also where the machine is busy.
    with Proxy(tmp_path, models.config(limits={"drain_delay": "3s"})) as proxy:
        load = Load(proxy.address)
        until(reaches(load, 300), 30, "300 answers")
        proxy.signal(number, group=group)
        at_signal = load.count
        load.wait()
        log = proxy.end()
    assert load.lost == []
    assert load.count > at_signal, "the proxy did not serve on during drain_delay"
    assert load.refused > 0
    assert_every_copy_logged(log, load.count)
    assert len(models.production.requests) == load.count


def test_a_draining_proxy_says_so(tmp_path: Path, models: Models) -> None:
    with Proxy(tmp_path, models.config(limits={"drain_delay": "4s"})) as proxy, Client(proxy.address) as client:
        assert client.ask(post("/")).head.get(b"connection") is None
        proxy.signal(signal.SIGTERM)
        until(lambda: proxy.admin_status("/readyz") == 503, 5, "not ready")
        assert proxy.admin_status("/livez") == 200
        answer = client.ask(post("/"))
        assert (answer.status, answer.head.get(b"connection")) == (200, b"close")
        assert client.wait_end() == "fin"
        assert ask(proxy.address, post("/")).status == 200, "new connections are served during drain_delay"
        proxy.end()


def test_what_is_in_flight_is_finished(tmp_path: Path, models: Models) -> None:
    """An answer that has begun goes on to its end, and so does a copy."""

    def slow(connection: Connection, request: Request) -> None:
        connection.read_body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        until(lambda: not accepts(proxy), 20, "the end of listening")
        connection.send(b"5\r\nhello\r\n0\r\n\r\n")

    models.production.handler = slow
    with Proxy(tmp_path, models.config()) as proxy, Client(proxy.address) as client:
        client.send(post("/"))
        models.production.wait_requests(1)
        proxy.signal(signal.SIGTERM)
        answer = client.read()
        assert (answer.data, answer.body.complete) == (b"hello", True)
        log = proxy.end()
    assert_every_copy_logged(log, 1)


def accepts(proxy: Proxy) -> bool:
    try:
        Client(proxy.address).close()
    except OSError:
        return False
    return True


def test_what_does_not_end_is_ended_at_the_limit(tmp_path: Path, models: Models) -> None:
    models.production.handler = lambda connection, request: connection.wait_end() and None
    with Proxy(tmp_path, models.config(limits={"drain": "1s"})) as proxy, Client(proxy.address) as client:
        client.send(post("/"))
        models.production.wait_requests(1)
        since = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert client.wait_end() in ("fin", "reset")
        proxy.end()
        assert time.monotonic() - since < 15  # the default would be 20


@pytest.mark.parametrize("answers", [True, False])
def test_a_copy_to_a_candidate_that_was_taken_out_is_waited_for(tmp_path: Path, models: Models, answers: bool) -> None:
    go = threading.Event()

    def holds(connection: Connection, request: Request) -> None:
        go.wait(60)
        returns_the_body(connection, request)

    models.v2.handler = holds
    try:
        with Proxy(tmp_path, models.config(limits={"drain": "30s" if answers else "1s"})) as proxy:
            assert ask(proxy.address, post("/")).status == 200
            models.v2.wait_requests(1)
            proxy.file.write_text(yaml.safe_dump({**proxy.config, "candidates": proxy.config["candidates"][1:]}))
            proxy.signal(signal.SIGHUP)
            until(lambda: any(event.get("event") == "reload.done" for event in proxy.events()), 10, "the reload")
            worker = proxy.worker()
            proxy.signal(signal.SIGTERM)
            until(lambda: not accepts(proxy), 10, "the end of accepting")
            if answers:
                assert settles(lambda: int(is_alive(worker)), what="the worker's life") == 1
                go.set()
            log = proxy.end()
    finally:
        go.set()
    (pair,) = (pair for pair in log.pairs if pair["candidate"] == "v2")
    assert pair["shadow"]["outcome"] == ("complete" if answers else "client_aborted")


def test_a_second_signal_ends_at_once(tmp_path: Path, models: Models) -> None:
    models.production.handler = lambda connection, request: connection.wait_end() and None
    with Proxy(tmp_path, models.config(limits={"drain_delay": "30s", "drain": "30s"})) as proxy:
        with Client(proxy.address) as client:
            client.send(post("/"))
            models.production.wait_requests(1)
            proxy.signal(signal.SIGTERM)
            until(lambda: proxy.admin_status("/readyz") != 200, 5, "not ready")
            since = time.monotonic()
            proxy.signal(signal.SIGTERM)
            proxy.wait()
        assert time.monotonic() - since < 20  # and not 60
        proxy.process = None


# -- SIGKILL -------------------------------------------------------------------------------------------------------


def pairs_counted(proxy: Proxy) -> int:
    """What the recorder has told of the pairs that it took."""
    return int(sum(n for name, n in proxy.metrics().items() if name.startswith("shadowproxy_pairs_total{")))


def report(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shadowproxy", "report", str(folder), "--format", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_sigkill_of_everything_leaves_a_readable_log(tmp_path: Path, models: Models) -> None:
    with Proxy(tmp_path, models.config(pairs={"flush": f"{FLUSH_S}s"})) as proxy:
        load = Load(proxy.address)
        until(lambda: pairs_counted(proxy) >= 500, 30, "500 pairs counted by the recorder", step_s=0.1)
        received, since = pairs_counted(proxy), time.monotonic()
        # Twice that, for the recorder of a busy machine is late.
        until(lambda: time.monotonic() >= since + 2 * FLUSH_S, what="the next flush")
        proxy.kill()
        load.stop()
        load.wait()
    log = assert_laws(proxy.pairs, clean=False)
    assert len(log.pairs) >= received, "the log lacks pairs that the recorder had counted one flush before its death"
    asked = {load.id(number) for number in load.sent}
    assert {pair["id"] for pair in log.pairs} <= asked
    done = report(proxy.pairs)
    assert done.returncode in (0, 3), done.stderr
    said = json.loads(done.stdout)
    assert said["sources"]["pairs"] == len(log.pairs)
    assert said["sources"]["torn_lines"] == log.torn
    assert said["sources"]["bad_lines"] == 0


def test_a_proxy_starts_again_over_the_log_that_a_kill_left(tmp_path: Path, models: Models) -> None:
    with Proxy(tmp_path, models.config()) as proxy:
        for number in range(50):
            assert ask(proxy.address, post("/", b"%d" % number)).status == 200
        proxy.kill()
        for path in proxy.pairs.glob("pairs-*.jsonl"):
            with path.open("ab") as file:
                file.write(b'{"v": 1, "kind": "pair", "torn')
        proxy.start()
        for number in range(50):
            assert ask(proxy.address, post("/", b"%d" % number)).status == 200
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        proxy.process = None
    log = assert_laws(proxy.pairs, clean=False)
    newest = max(row["boot"] for row in log.ledger)
    assert len([pair for pair in log.pairs if pair["src"][1] == newest]) == 100
    assert report(proxy.pairs).returncode in (0, 3)


def test_a_killed_worker_costs_only_its_own_connections(tmp_path: Path, models: Models) -> None:
    with Proxy(tmp_path, models.config(workers=2), allowed="worker|child|exit|died|killed") as proxy:
        until(lambda: len(proxy.pids("worker")) == 2, 10, "two workers")
        clients = [Client(proxy.address) for _ in range(24)]
        assert {client.ask(post("/")).status for client in clients} == {200}
        killed = proxy.kill_one("worker")
        # New connections at once: the dead worker's queue waits for its successor, nothing is refused or reset.
        fresh = [Client(proxy.address) for _ in range(24)]
        for client in fresh:
            client.send(post("/fresh"))
        assert {client.read(b"POST").status for client in fresh} == {200}
        gone = sum(not still_serves(client) for client in clients)
        assert 0 < gone < len(clients), f"{gone} of {len(clients)} connections are gone"
        until(lambda: len(proxy.pids("worker")) == 2, 10, "a successor")
        assert killed not in proxy.pids("worker")
        for client in (*clients, *fresh):
            client.close()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        proxy.process = None
        proxy.assert_quiet()
    assert_laws(proxy.pairs, clean=False)


def still_serves(client: Client) -> bool:
    try:
        return client.ask(get("/")).status == 200
    except (Ended, OSError):
        return False


def test_a_killed_parent_takes_its_children_along_in_good_order(tmp_path: Path, models: Models) -> None:
    with Proxy(tmp_path, models.config(limits={"drain": "5s"})) as proxy:
        for number in range(50):
            assert ask(proxy.address, post("/", b"%d" % number)).status == 200
        proxy.signal(0)
        os.kill(proxy.pid, signal.SIGKILL)
        assert proxy.wait() == -signal.SIGKILL
        proxy.process = None
        proxy.assert_quiet()
    assert_every_copy_logged(assert_laws(proxy.pairs), 50)
