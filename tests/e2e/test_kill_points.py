"""SIGKILL at points drawn by lot while requests are under way: of a worker, the recorder, the parent, of everything.

After each the log is readable, what is missing in it is what the dead had not handed over, nothing is in it twice, and
the proxy serves again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.accounts import Account, Asking, Era, Seen, settle
from tests.e2e.test_kill import report
from tests.support.ledger import Log, assert_laws
from tests.support.load import reaches
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Upstream

ROLES = ("worker", "recorder", "supervisor", "everything")
CLIENTS = 4
MOST = 300  # answers before a kill
EXPECTED = "worker|recorder|admin|child|exit|died|killed|restart"
BOUND_S = 2.0  # twice the default `pairs.flush`, for a recorder that is a little late
USUAL_S = 2.0  # of a restart, where the machine does nothing else
PATIENCE_S = 20.0


@dataclass
class Series:
    """Kills one after the other over one log."""

    lot: random.Random
    proxy: Proxy
    seen: dict[str, Seen]
    account: Account = field(default_factory=Account)
    restarts_s: dict[str, list[float]] = field(default_factory=dict)  # by who was killed
    torn: int = 0
    era: Era = field(default_factory=lambda: Era(int(time.time() * 1000)))
    asked: int = 0

    def point(self, role: str) -> None:
        """Load, one kill somewhere in it, and where anybody is left to serve, load again."""
        if self.proxy.process is None:
            self.era = Era(int(time.time() * 1000))
            since = time.monotonic()
            self.proxy.start()
            self._restarted(since, "everything")
        asking = self._ask()
        until(reaches(asking, self.lot.randint(1, MOST)), what="the point of the kill", step_s=0.0005)
        since, lives = time.monotonic(), self._lives(role)
        getattr(self, f"_kill_{role}")()
        if self.proxy.process is not None:
            answered = asking.count
            until(lambda: asking.count > answered + 20, what=f"answers after the death of the {role}")
            asking.stop()
            until(lambda: self._lives(role) > lives, what=f"the {role}'s successor")
            self._restarted(since, role)
        asking.stop()
        asking.wait()
        self.asked += len(asking.sent)
        if self.proxy.process is None:
            self._settle()

    def _ask(self) -> Asking:
        asking = Asking(self.proxy.address, clients=CLIENTS, first=self.asked * 2 + 1)
        self.era.asking.append(asking)
        return asking

    def _restarted(self, since: float, role: str) -> None:
        self.restarts_s.setdefault(role, []).append(time.monotonic() - since)

    def _lives(self, role: str) -> int:
        return sum(event.get("event") == f"{role}.ready" for event in self.proxy.events())

    def _kill_worker(self) -> None:
        pid = self.lot.choice(until(lambda: self.proxy.pids("worker"), what="a worker"))
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        os.kill(pid, signal.SIGKILL)
        self.era.kills.append((time.time(), int(words[words.index(b"--slot") + 1])))

    def _kill_recorder(self) -> None:
        os.kill(until(lambda: self.proxy.pids("recorder"), what="a recorder")[0], signal.SIGKILL)

    def _kill_supervisor(self) -> None:
        self.proxy.signal(signal.SIGKILL)
        assert self.proxy.wait() == -signal.SIGKILL
        self.proxy.process = None

    def _kill_everything(self) -> None:
        self.proxy.kill()
        self.era.killed_at = time.time()

    def end(self) -> None:
        if self.proxy.process is not None:
            self.proxy.signal(signal.SIGTERM)
            assert self.proxy.wait() == 0
            self.proxy.process = None
            self._settle()

    def _settle(self) -> None:
        """What an era left behind: readable, by the laws, and without a gap that nothing explains."""
        log = assert_laws(self.proxy.pairs, clean=False)
        assert_report_reads(self.proxy.pairs, log)
        self.torn = log.torn
        copies = {name: seen for name, seen in self.seen.items() if name != "production"}
        found = settle(self.era, log, self.seen["production"], copies)
        assert found.unexplained == []
        assert found.oldest_s < BOUND_S, found
        self.account.add(found)


def assert_report_reads(folder: Path, log: Log) -> None:
    done = report(folder)
    assert done.returncode in (0, 3), done.stderr
    sources = json.loads(done.stdout)["sources"]
    said = (sources["pairs"], sources["torn_lines"], sources["bad_lines"])
    assert said == (len(log.pairs), log.torn, 0)


def killed(folder: Path, seed: int, roles: list[str]) -> Series:
    with ExitStack() as stack:
        seen = {name: Seen() for name in ("production", "v2", "v3")}
        models = {name: stack.enter_context(Upstream(handler, keep=64)) for name, handler in seen.items()}
        ample = {"max_in_flight": 1000, "timeout": "60s"}
        config = {
            "workers": 2,
            "production": {"url": models["production"].url},
            "candidates": [{"name": name, "url": models[name].url, **ample} for name in ("v2", "v3")],
            "pairs": {"flush": "1s"},  # the default
        }
        proxy = stack.enter_context(Proxy(folder, config, allowed=EXPECTED, start=False))
        series = Series(random.Random(seed), proxy, seen)
        for role in roles:
            series.point(role)
        series.end()
        proxy.assert_quiet()
    return series


def test_whoever_is_killed_only_what_was_not_handed_over_is_missing(tmp_path: Path) -> None:
    series = killed(tmp_path, 1, ["recorder", "worker", "everything"])
    assert series.account.fates["right"] > 60
    # Who came anew may meet the next of two workers that are killed, and then a queue that nobody serves any more.
    assert series.account.fates["lost"] <= 4 * CLIENTS, series.account
    assert max(max(took) for took in series.restarts_s.values()) < PATIENCE_S, series.restarts_s


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(5))
def test_ten_kills(tmp_path: Path, seed: int) -> None:
    lot = random.Random(seed)
    roles = [*ROLES, *ROLES, *lot.choices(ROLES, k=2)]
    lot.shuffle(roles)
    series = killed(tmp_path, seed, roles)
    usual = {role: statistics.median(took) for role, took in series.restarts_s.items()}
    print(f"10 kills: {series.account}; {series.torn} torn lines; served again after", usual)
    first = series.restarts_s["everything"][
        0
    ]  # nobody was killed before it: what a start takes on this machine just now
    assert max(usual.values()) < max(USUAL_S, 3 * first), series.restarts_s
