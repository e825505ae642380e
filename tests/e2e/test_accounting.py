"""Every request is accounted for: an account that clients and upstreams keep beside shadowproxy's own, to the request.

While requests come, faults of the network (`test_faults`) begin and end before clients, production and a candidate, and
the recorder, the admin process and workers are killed, all by lot. What `accounts` cannot explain is a failure.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.accounts import Account, Asking, Era, Seen, settle
from tests.e2e.test_faults import HARMLESS, NAMES, fault
from tests.e2e.test_metrics import by
from tests.support.ledger import Log, assert_laws
from tests.support.load import reaches
from tests.support.proxy import Proxy
from tests.support.relay import Direction, Relay
from tests.support.until import settles, until
from tests.support.upstream import Upstream

CLIENTS = 8
EXPECTED = "worker|recorder|admin|child|exit|died|killed|restart"
ROLES = ("worker", "recorder", "admin", "recorder")
MINUTES = float(os.environ.get("ACCOUNT_MINUTES", "20"))
MILLION = 1_000_000
BATCH = 20_000

Fault = tuple[str, str, Direction]
# A client whose connection ends is asked for nothing more, so before clients only what is harmless tells anything.
FAULTS: list[Fault] = [
    (place, name, direction)
    for place in ("client", "production", "v2")
    for name in NAMES
    for direction in ("up", "down")
    if place != "client" or name in HARMLESS
]


class Bench:
    """clients ─ relay ─ proxy ─┬ relay ─ production
                                ├ relay ─ v2
                                └ v3
    """  # fmt: skip

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.seen = {name: Seen() for name in ("production", "v2", "v3")}
        models = {name: stack.enter_context(Upstream(seen, keep=64)) for name, seen in self.seen.items()}
        self.relays = {name: stack.enter_context(Relay(models[name].address)) for name in ("production", "v2")}
        ample = {"max_in_flight": 1000, "timeout": "1s"}
        config = {
            "workers": 2,
            "production": {
                "url": self.relays["production"].url,
                "timeouts": {"connect": "500ms", "first_byte": "500ms", "idle": "500ms"},
            },
            "candidates": [
                {"name": "v2", "url": self.relays["v2"].url, "breaker": {"probe": "100ms"}, **ample},
                {"name": "v3", "url": models["v3"].url, **ample},
            ],
            "pairs": {"flush": "200ms", "rotate": {"size": "8GiB"}},  # the test reads lines
        }
        self.era = Era(int(time.time() * 1000))
        self.proxy = stack.enter_context(Proxy(folder, config, allowed=EXPECTED, start=False))
        self.proxy.start(ready_within_s=600)
        self.relays["client"] = stack.enter_context(Relay(self.proxy.address))

    def meet(self, asking: Asking, place: str, name: str, direction: Direction, answers: int) -> None:
        """A fault, for so many answers."""
        with fault(self.relays[place], name, direction):
            reached = reaches(asking, asking.count + answers)
            until(lambda: reached() or asking.is_over, what=f"answers in spite of {place}-{name}-{direction}")

    def kill(self, role: str, lot: random.Random) -> None:
        pids = until(lambda: self.proxy.pids(role), what=f"a {role}")
        pid = lot.choice(pids)
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        os.kill(pid, signal.SIGKILL)
        if role == "worker":
            self.era.kills.append((time.time(), int(words[words.index(b"--slot") + 1])))

    def settle(self, log: Log) -> Account:
        copies = {name: seen for name, seen in self.seen.items() if name != "production"}
        return settle(self.era, log, self.seen["production"], copies)


def accounted(folder: Path, seed: int, total: int, every: int, answers: int) -> Account:
    """`total` requests; `every` so many answers a fault for `answers` of them, and at every fourth a death."""
    lot = random.Random(seed)
    with ExitStack() as stack:
        bench = Bench(stack, folder)
        asking = Asking(bench.relays["client"].address, clients=CLIENTS, total=total)
        bench.era.asking.append(asking)
        faults = lot.sample(FAULTS, len(FAULTS))
        for turn, at in enumerate(range(every, total - 2 * answers, every)):
            until(lambda at=at: asking.count >= at or asking.is_over, 600, f"{at} answers")
            bench.meet(asking, *faults[turn % len(faults)], answers)
            if turn % 4 == 3:
                bench.kill(ROLES[turn // 4 % len(ROLES)], lot)
        asking.wait(600)
        until(lambda: bench.proxy.pids("recorder") and bench.proxy.pids("admin"), what="successors")
        bench.proxy.wait_ready()
        settles(lambda: _requests(bench.proxy), quiet_s=2.5, what="the count of requests")
        metrics = bench.proxy.metrics()
        bench.proxy.signal(signal.SIGTERM)
        assert bench.proxy.wait() == 0, bench.proxy.stderr
        bench.proxy.process = None
        bench.proxy.assert_quiet()
        log = assert_laws(bench.proxy.pairs, clean=False)
        account = bench.settle(log)
    assert account.asked == total
    for name in ("v2", "v3"):
        assert_told(by(metrics, "mirrored_total", "candidate")[name,], bench.era, log, name, "finished")
    assert_told(by(metrics, "requests_total")[()], bench.era, log, "v3", "requests")
    return account


def assert_told(told: int, era: Era, log: Log, candidate: str, figure: str) -> None:
    """The metrics are the ledger's totals of the workers that ended well, and more only where one was killed."""
    newest = {worker: max(row["boot"] for row in log.ledger if row["worker"] == worker) for worker in (0, 1)}
    well = Log(ledger=[row for row in log.ledger if row["boot"] == newest[row["worker"]]]).total(candidate, figure)
    assert well <= told <= len(era.sent)
    assert told == well or era.kills


def _requests(proxy: Proxy) -> int:
    return sum(row["requests"] for of in proxy.status()["ledger"] for row in of["rows"])


def test_nothing_is_unexplained_whatever_breaks_and_whoever_dies(tmp_path: Path) -> None:
    account = accounted(tmp_path, 1, total=2000, every=160, answers=20)
    print(account)
    assert account.unexplained == []


@pytest.mark.campaign
@pytest.mark.timeout(3 * 3600)
def test_a_million_requests_or_as_many_as_there_is_time_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ACCOUNT_MINUTES` is the time, 20 by default."""
    monkeypatch.setattr("tests.support.until.LEAST_S", 600.0)  # a long run must bear a machine that stands still
    deadline = time.monotonic() + MINUTES * 60
    sum_ = Account()
    for seed in range(MILLION // BATCH):
        if time.monotonic() > deadline:
            break
        folder = tmp_path / str(seed)
        sum_.add(accounted(folder, seed, total=BATCH, every=500, answers=50))
        print(sum_)
        assert sum_.unexplained == []
        for file in (folder / "pairs").iterdir():
            file.unlink()
