"""Workers are replaced one by one, each succeeded before it leaves; nothing that was counted is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from shadowproxy.settings.snapshot import Limits
from tests.support.api import Api
from tests.support.supervised import Supervised
from tests.support.until import until

LIMITS = Limits(drain_delay=0.0, drain=5.0, connections=1000)


def api(proxy: Supervised) -> Api:
    return Api(proxy.event("proxy.ready")["admin"])


def requests(to: Api) -> int:
    return int(to.get("/api/v1/status")["requests"])


def test_each_worker_is_succeeded_before_it_leaves_and_counts_go_on(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",), limits=LIMITS) as proxy:
        to = api(proxy.ready())
        for _ in range(6):
            proxy.ask()
        until(lambda: requests(to) == 6, 5)
        before = set(proxy.pids("worker"))
        to.did("/api/v1/workers/restart")
        for slot in (0, 1):
            assert proxy.event("worker.renewed", slot=slot)["was"] in before
        until(lambda: not before & set(proxy.pids("worker")), 10)
        assert len(set(proxy.pids("worker"))) == 2
        journal = [(slot, pid, what.split()[0]) for role, slot, pid, what in proxy.entries() if role == "worker"]
        for slot in (0, 1):
            told = [what for at, _, what in journal if at == slot]
            assert told.index("drain") > [at for at, what in enumerate(told) if what == "configured"][1]
        # One after the other: the second worker's successor begins when the first one's has been ready.
        assert [slot for slot, _, what in journal if what == "began"][2:] == [0, 1]
        proxy.ask()
        until(lambda: requests(to) == 7, 5)
        assert [child["restarts"] for child in to.get("/api/v1/status")["workers"]] == [1, 1]


def test_a_successor_that_fails_leaves_the_present_worker_in_its_seat(tmp_path: Path) -> None:
    with Supervised(tmp_path, real=("admin",), limits=LIMITS) as proxy:
        to = api(proxy.ready())
        before = proxy.pids("worker")
        proxy.behave(worker="fails")
        said = to.post("/api/v1/workers/restart")
        assert (said.status, "worker 0's successor failed: the disk is on fire" in said.body["detail"]) == (409, True)
        assert proxy.pids("worker") == before
        assert proxy.ask().startswith("worker")


def test_an_end_in_the_middle_takes_both_along(tmp_path: Path) -> None:
    with Supervised(tmp_path, behave={"worker": "never drains"}, real=("admin",), limits=LIMITS, workers=1) as proxy:
        to = api(proxy.ready())
        to.did("/api/v1/workers/restart")
        assert len(proxy.pids("worker")) == 2  # the old one does not leave
        proxy.signal(signal.SIGTERM)
        proxy.event("drain.began")
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0


def test_a_killed_worker_is_replaced_within_three_seconds(tmp_path: Path) -> None:
    """And what a start takes, which on a busy machine may be long."""
    began = time.monotonic()
    with Supervised(tmp_path) as proxy:
        proxy.ready()
        killed, since = proxy.pids("worker")[0], time.monotonic()
        os.kill(killed, signal.SIGKILL)
        proxy.event("worker.ready", restarts=1)
        assert time.monotonic() - since < 3.0 + (since - began)
        assert len(proxy.pids("worker")) == 2
