"""What is short for a while: files, a recorder that runs, room for what waits for it. Production's answers go on."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from pathlib import Path

import yaml

from tests.support.client import Client, ask, post
from tests.support.load import Load, reaches, returns_the_body
from tests.support.processes import open_files
from tests.support.proxy import Proxy
from tests.support.until import settles, until
from tests.support.upstream import Connection, Request, Upstream


def test_a_worker_without_a_file_left_serves_who_is_there_and_everybody_afterwards(tmp_path: Path) -> None:
    """No file for a new client, and none for a copy's connection: neither is a fault of those who have theirs."""
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "breaker": {"failures": 1_000_000}}],
        }
        with Proxy(tmp_path, config) as proxy, Client(proxy.address) as client:
            worker = proxy.worker()
            assert client.ask(post("/", b"before")).data == b"before"
            candidate.wait_requests(1)
            proxy.wait_pairs(1)
            candidate.drop_connections()
            settles(lambda: open_files(worker), what="the worker's open files")
            hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_files(worker), hard))
            with contextlib.ExitStack() as late:
                for _ in range(30):  # who comes now is let in later, or not at all
                    late.enter_context(Client(proxy.address))
                for number in range(20):
                    body = b"%d" % number
                    assert client.ask(post("/", body)).data == body
                resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
            assert client.ask(post("/", b"after")).data == b"after"
            until(lambda: _is_served(proxy), 10, "a new client that is served")
            log = proxy.stop()
    assert log.reasons("v2", "finished")["connect_error"] > 0, "no copy wanted a file: nothing was shown"
    assert set(log.reasons("v2", "finished")) <= {"connect_error", "complete"}


def _is_served(proxy: Proxy) -> bool:
    with contextlib.suppress(Exception):
        return ask(proxy.address, post("/", b"new"), timeout_s=2).data == b"new"
    return False


def test_a_recorder_that_stands_still_costs_copies_and_no_answer(tmp_path: Path) -> None:
    with Upstream(returns_the_body) as production, Upstream(returns_the_body) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "max_in_flight": 1000}],
            "mirror": {"max_buffered": "256KiB"},
        }
        with Proxy(tmp_path, config) as proxy:
            load = Load(proxy.address, clients=4)
            until(reaches(load, 50), 30, "the first answers")
            (recorder,) = proxy.pids("recorder")
            os.kill(recorder, signal.SIGSTOP)
            try:
                until(lambda: _dropped(proxy, "recorder_behind") > 0, 30, "copies that are dropped", step_s=0.05)
                at = load.count
                until(reaches(load, at + 50), 30, "answers while the recorder stands still")
            finally:
                with contextlib.suppress(ProcessLookupError):  # the supervisor may have had enough of it
                    os.kill(recorder, signal.SIGCONT)
            sent = len(candidate.requests)
            until(lambda: len(candidate.requests) > sent + 20, 30, "copies again")
            load.stop()
            load.wait()
            assert load.lost == []
            log = proxy.stop()
    assert log.total("v2", "requests") == load.count
    assert log.reasons("v2", "dropped")["recorder_behind"] > 0


def _dropped(proxy: Proxy, reason: str) -> float:
    return proxy.metrics().get(f'shadowproxy_mirror_dropped_total{{candidate="v2",reason="{reason}"}}', 0.0)


def test_streams_and_uploads_outlive_reloads(tmp_path: Path) -> None:
    """An answer that is half passed on and a request that is half read know nothing of it."""
    go = threading.Semaphore(0)

    def in_pieces(connection: Connection, request: Request) -> None:
        if request.target == b"/stream":
            connection.read_body(request)
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(6):
                assert go.acquire(timeout=20)
                connection.send(b"2\r\n%d;\r\n" % number)
            connection.send(b"0\r\n\r\n")
        else:
            returns_the_body(connection, request)

    with Upstream(in_pieces) as production, Upstream(returns_the_body) as candidate:
        one = {"name": "v2", "url": candidate.url}
        config = {"production": {"url": production.url}, "candidates": [one]}
        with Proxy(tmp_path, config, steered=True) as proxy:
            with Client(proxy.address) as stream, Client(proxy.address) as upload:
                stream.send(post("/stream", b"{}"))
                upload.send(b"POST /upload HTTP/1.1\r\nHost: model.test\r\nContent-Length: 12\r\n\r\n")
                for number in range(6):
                    go.release()
                    assert stream.wire.through(b"%d;\r\n" % number)
                    upload.send(b"%d." % number)
                    proxy.config["production"]["keep_alive"] = f"{number + 1}s"
                    proxy.config["candidates"] = (
                        [one] if number % 2 else [{**one, "max_in_flight": 7}, {**one, "name": "v3"}]
                    )
                    _reload(proxy, number + 1)
                assert stream.wire.through(b"0\r\n\r\n")
                assert upload.read().data == b"0.1.2.3.4.5."
            proxy.stop()


def _reload(proxy: Proxy, count: int) -> None:
    proxy.file.write_text(yaml.safe_dump(proxy.config))
    proxy.signal(signal.SIGHUP)
    until(lambda: sum(e.get("event") == "reload.done" for e in proxy.events()) >= count, 15, "the reload")
