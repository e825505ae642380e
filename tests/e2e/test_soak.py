"""Half an hour of everything at once: whoever grows, or keeps files or threads, shows it.

Requests of all sizes, streams, clients that leave within a request, a candidate that fails now and then, and a reload
every few seconds. `SOAK_MINUTES` is the length, 30 by default. What is measured after the first third counts: until
then caches, pools and the allocator fill up.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.e2e.test_kill import report
from tests.e2e.test_metrics import fails_now_and_then
from tests.support.client import Client, get, post
from tests.support.load import Load, returns_the_body
from tests.support.message import Ended
from tests.support.processes import open_files, resident, threads
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
EVERY_S = 2.0  # a reading
RELOAD_S = 5.0
MIB = 1 << 20
# MiB by which a process may have grown from the second third to the last: what a heap moves by, and 1 MiB an hour.
MOST_MIB = {"worker": 1.5, "recorder": 6.0, "admin": 6.0, "supervisor": 1.5}


@dataclass
class Readings:
    """Of one process, one each `EVERY_S`."""

    at_s: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def read(self, pid: int, at_s: float) -> None:
        self.at_s.append(at_s)
        self.bytes.append(resident(pid))
        self.files.append(open_files(pid))
        self.threads.append(threads(pid))

    def more_of(self, figures: list[int]) -> float:
        """From the second third's median to the last's."""
        third = len(figures) // 3
        return statistics.median(figures[2 * third :]) - statistics.median(figures[third : 2 * third])

    def slope_mib_an_hour(self) -> float:
        third = len(self.bytes) // 3
        return statistics.linear_regression(self.at_s[third:], self.bytes[third:]).slope * 3600 / MIB

    def __str__(self) -> str:
        grown, slope = self.more_of(self.bytes) / MIB, self.slope_mib_an_hour()
        return (
            f"{self.bytes[-1] / MIB:.1f} MiB, {grown:+.2f} MiB in the last third, {slope:+.1f} MiB/h;"
            f" files {min(self.files)} to {max(self.files)}, {self.files[-1]} at the end; {self.threads[-1]} threads"
        )


def streams(connection: Connection, request: Request) -> None:
    """An answer as long as the request, in events; other requests as `returns_the_body`."""
    if request.target != b"/stream":
        returns_the_body(connection, request)
        return
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(20):
        event = b'data: {"n": %d}\n\n' % number
        connection.send(b"%x\r\n%b\r\n" % (len(event), event))
    connection.send(b"0\r\n\r\n")


def churn(proxy: Proxy, stop: threading.Event, seed: int, faults: list[str]) -> None:
    """Clients that come for a request or a few and go, some of them within one."""
    lot = random.Random(seed)
    while not stop.is_set():
        with Client(proxy.address) as client:
            try:
                for _ in range(lot.randint(1, 5)):
                    body = b"x" * lot.choice((0, 10, 1000, 20_000, 300_000))
                    raw = lot.choice((post("/", body), post("/stream", body), get("/")))
                    if lot.random() < 0.1:
                        client.send(raw[: lot.randint(1, len(raw) - 1)])
                        client.reset()
                        break
                    answer = client.ask(raw)
                    if answer.status != 200 or not answer.body.complete:
                        faults.append(f"{answer.head.raw!r}")
            except (Ended, OSError) as fault:
                faults.append(repr(fault))
        stop.wait(0.02)


@pytest.mark.campaign
@pytest.mark.timeout(4 * 3600)
def test_nothing_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.until.LEAST_S", 600.0)
    readings = {role: Readings() for role in MOST_MIB}
    faults: list[str] = []
    stop = threading.Event()
    with ExitStack() as stack:
        production = stack.enter_context(Upstream(streams, keep=64))
        v2 = stack.enter_context(Upstream(streams, keep=64))
        v3 = stack.enter_context(Upstream(fails_now_and_then, keep=64))
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": v2.url}, {"name": "v3", "url": v3.url, "sample": "50%"}],
            "pairs": {"rotate": {"size": "16MiB"}, "keep": {"size": "8GiB"}},
            "mirror": {"methods": ["GET", "POST"]},
        }
        proxy = stack.enter_context(Proxy(tmp_path, config, steered=True))
        load = Load(proxy.address, clients=2)
        churning = [
            threading.Thread(target=churn, args=(proxy, stop, seed, faults), name="churn", daemon=True)
            for seed in range(3)
        ]
        for thread in churning:
            thread.start()
        pids = {role: proxy.pids(role)[0] for role in ("worker", "recorder", "admin")} | {"supervisor": proxy.pid}
        since = time.monotonic()
        reloads = read(proxy, pids, readings, since, [production, v2, v3])
        stop.set()
        load.stop()
        load.wait()
        for thread in churning:
            thread.join()
        assert pids == {role: proxy.pids(role)[0] for role in ("worker", "recorder", "admin")} | {
            "supervisor": proxy.pid
        }, "a process was replaced"
        took_s = time.monotonic() - since
        print(f"{took_s:.0f} s, {load.count:,} requests and the churn's, {reloads} reloads")
        for role, of in readings.items():
            print(role, of)
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        proxy.process = None
        proxy.assert_quiet()
    done = report(proxy.pairs)
    assert done.returncode in (0, 1, 3), done.stderr
    said = json.loads(done.stdout)
    assert (said["sources"]["torn_lines"], said["sources"]["bad_lines"]) == (0, 0)
    ledgers = [candidate["ledger"] for candidate in said["candidates"].values()]
    assert all(ledger["laws_hold"] for ledger in ledgers)
    assert sum(ledger["logged"] for ledger in ledgers) == said["sources"]["pairs"] > load.count
    assert load.lost == []
    assert faults == []
    for role, of in readings.items():
        assert of.more_of(of.bytes) / MIB < MOST_MIB[role] + took_s / 3600, role
        assert of.more_of(of.files) <= 3, role
        assert of.more_of(of.threads) <= 1, role


def read(
    proxy: Proxy, pids: dict[str, int], readings: dict[str, Readings], since: float, upstreams: list[Upstream]
) -> int:
    """Take readings for as long as it lasts, and reload now and then; how often."""
    reloads = 0
    for turn in itertools.count(1):
        until(lambda due=since + turn * EVERY_S: time.monotonic() >= due, what="the next reading", step_s=0.05)
        if time.monotonic() - since > MINUTES * 60:
            return reloads
        for role, pid in pids.items():
            readings[role].read(pid, time.monotonic() - since)
        for upstream in upstreams:
            upstream.requests.clear()  # this process must not grow either
        if turn * EVERY_S > (reloads + 1) * RELOAD_S:
            reloads += 1
            share = f"{50 + reloads % 10}%"
            candidates = [proxy.config["candidates"][0], {**proxy.config["candidates"][1], "sample": share}]
            proxy.file.write_text(yaml.safe_dump({**proxy.config, "candidates": candidates}))
            proxy.signal(signal.SIGHUP)
    raise AssertionError("unreachable")
