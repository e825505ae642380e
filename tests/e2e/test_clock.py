"""The clock of the machine is set, an hour on and an hour back, while requests come: no duration and no order knows.

A step comes from libfaketime, which every process of the proxy is started with; it steps the clock of the day alone, as
setting a clock does.
"""

from __future__ import annotations

import signal
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.client import ask, post
from tests.support.ledger import assert_laws
from tests.support.load import returns_the_body
from tests.support.processes import cpu_s, family
from tests.support.proxy import Proxy
from tests.support.tools import require
from tests.support.until import until
from tests.support.upstream import Upstream

HOUR_S = 3600
LONGEST_MS = 60_000  # no request took longer, on however busy a machine
STEPS_S = (HOUR_S, -HOUR_S)


class SteppedClock:
    """What the processes that are started with it take for the time, in seconds from the real one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        require("faketime", "faketime")
        self._file = folder / "offset"
        self.step(0)
        (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        monkeypatch.setenv("LD_PRELOAD", str(library))
        monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(self._file))
        monkeypatch.setenv("FAKETIME_CACHE_DURATION", "1")
        monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")

    def step(self, offset_s: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.rename(self._file)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SteppedClock:
    return SteppedClock(tmp_path, monkeypatch)


def test_no_duration_and_no_order_knows_of_a_step_of_the_clock(tmp_path: Path, clock: SteppedClock) -> None:
    with Upstream(returns_the_body, keep=64) as production, Upstream(returns_the_body, keep=64) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "max_in_flight": 1000}],
        }
        with Proxy(tmp_path / "proxy", config) as proxy:
            asked: list[float] = []
            for offset_s in (0, *STEPS_S):
                clock.step(offset_s)
                until(
                    lambda o=offset_s: asks(proxy, asked) and o in offsets(proxy, asked),
                    what=f"{offset_s} s",
                    step_s=0.05,
                )
            for _ in range(20):
                asks(proxy, asked)
            until(lambda: busy_share(proxy) < 0.5, what="an end of whatever the steps began")
            proxy.signal(signal.SIGTERM)
            code = proxy.wait()
            proxy.process = None
            # libfaketime fails a sleep whose end has passed, and the last thing that the parent does is such a sleep.
            if code:
                until(lambda: proxy.stderr.endswith("Invalid argument"), what=f"a reason for {code} in {proxy.stderr}")
            assert "drain.done" in proxy.stderr
            proxy.assert_quiet()
            log = assert_laws(proxy.pairs)
    assert {pair["shadow"]["outcome"] for pair in log.pairs} == {"complete"}
    assert log.total("v2", "logged") == log.total("v2", "requests") == len(asked)
    for pair in log.pairs:
        for side in ("production", "shadow"):
            assert all(0 <= ms < LONGEST_MS for ms in pair[side]["timing_ms"].values() if ms is not None), pair[side]
        assert abs(pair["comparison"]["latency_ms_difference"]) < LONGEST_MS
    sequence = [pair["src"][2] for pair in log.pairs]
    assert sorted(sequence) == list(range(1, len(asked) + 1))
    segments = len(list(proxy.pairs.glob("pairs-*")))
    assert segments <= 2 * len(STEPS_S), "the step of a clock closed one segment after the other"


def asks(proxy: Proxy, asked: list[float]) -> bool:
    """One request, answered right; `asked` has the time of each by its number."""
    body = b"%d" % len(asked)
    asked.append(time.time())
    answer = ask(proxy.address, post("/", body, f"X-Request-ID: {len(asked) - 1}"))
    return (answer.status, answer.data) == (200, body)


def offsets(proxy: Proxy, asked: list[float]) -> set[int]:
    """By how many whole hours, in seconds, the log's times lie beside those of the client."""
    pairs = proxy.log().pairs
    after_s = [datetime.fromisoformat(pair["ts"]).timestamp() - asked[int(pair["id"])] for pair in pairs]
    return {round(s / HOUR_S) * HOUR_S for s in after_s}


def busy_share(proxy: Proxy) -> float:
    """How much of a second all processes together are on a processor, while nobody asks for anything."""
    pids = [proxy.pid, *(process.pid for process in family(proxy.pid))]
    before, since = sum(map(cpu_s, pids)), time.monotonic()
    threading.Event().wait(1.0)
    return (sum(map(cpu_s, pids)) - before) / (time.monotonic() - since)
