"""What a worker holds while a candidate does not give anything back, and after a hundred thousand clients."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench import bad
from bench.steady import Steady, encode
from tests.support.client import Client, post
from tests.support.ledger import Log
from tests.support.load import returns_the_body
from tests.support.processes import forget_memory_peak, memory_peak, open_files, resident
from tests.support.proxy import Proxy, reserve
from tests.support.until import until
from tests.support.upstream import Upstream

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
MARGIN = 32 * MIB
BODY_BYTES = 200_000


@contextmanager
def models(*kinds: str) -> Iterator[list[int]]:
    """`bench.bad`'s models in a process of their own, and their ports."""
    with ExitStack() as reserved:
        ports = [reserved.enter_context(reserve()).getsockname()[1] for _ in kinds]
        places = [f"{kind}={port}" for kind, port in zip(kinds, ports, strict=True)]
        process = subprocess.Popen([sys.executable, "-m", "bench.bad", *places], cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield ports
        finally:
            process.kill()
            process.communicate()


def pressed(
    folder: Path, kind: str, *, seconds: float, max_buffered: int, rate_per_s: float
) -> tuple[int, dict[str, object], Log]:
    """A worker's growth in bytes, what the client saw, and the log, after `seconds` of uploads."""
    with models("steady", kind) as (production, candidate):
        config = {
            "production": {"url": f"http://127.0.0.1:{production}"},
            "candidates": [
                {
                    "name": "v2",
                    "url": f"http://127.0.0.1:{candidate}",
                    "max_in_flight": 2000,
                    "timeout": "60s",
                    "breaker": {"failures": 1_000_000},
                }
            ],
            "mirror": {"max_buffered": max_buffered},
            "limits": {"drain": "1s"},
            "pairs": {"bodies": "none"},  # the ledger is compared with one segment's lines
        }
        with Proxy(folder, config) as proxy:
            worker = proxy.worker()
            with Client(proxy.address) as client:
                assert client.ask(post("/", b"x")).status == 200
            forget_memory_peak(worker)
            before = memory_peak(worker)
            plan = Steady(
                port=proxy.address[1],
                rate_per_s=rate_per_s,
                window_s=seconds,
                warmup_s=0.0,
                body_bytes=BODY_BYTES,
                expected=bad.BODY.decode(),
                timeout_s=60.0,
            )
            client_process = subprocess.run(
                [sys.executable, "-m", "bench.steady"],
                input=encode(plan),
                capture_output=True,
                cwd=ROOT,
                timeout=seconds + 120,
                check=True,
            )
            growth = memory_peak(worker) - before
            return growth, json.loads(client_process.stdout), proxy.stop()


@pytest.mark.parametrize("kind", ["hangs", "unread"])
def test_a_candidate_that_gives_nothing_back_costs_its_budget(tmp_path: Path, kind: str) -> None:
    growth, seen, log = pressed(tmp_path, kind, seconds=3, max_buffered=8 * MIB, rate_per_s=60.0)
    assert seen["faults"] == {}
    assert growth <= 8 * MIB + MARGIN, f"{growth / MIB:.0f} MiB"
    assert log.reasons("v2", "dropped")["buffer_full"] > 0, "the budget was never used up: nothing was shown"


@pytest.mark.campaign
@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", ["hangs", "unread"])
def test_a_minute_of_uploads_at_a_candidate_that_gives_nothing_back(tmp_path: Path, kind: str) -> None:
    """200 KB at 300/s for a minute: 3.6 GB, of which nothing comes to its end."""
    growth, seen, log = pressed(tmp_path, kind, seconds=60, max_buffered=64 * MIB, rate_per_s=300.0)
    assert seen["faults"] == {}
    assert growth <= 64 * MIB + MARGIN
    assert log.reasons("v2", "dropped")["buffer_full"] > 0, "the budget was never used up: nothing was shown"
    print(f"{kind}: {growth / MIB:.1f} MiB of {64 + 32}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("batch", "most"),
    [pytest.param(250, 3 * MIB, id="2500"), pytest.param(10_000, 4 * MIB, id="100000", marks=pytest.mark.campaign)],
)
def test_connections_leave_no_garbage(tmp_path: Path, batch: int, most: int) -> None:
    """A protocol and its parser are a cycle unless one is let go, and the oldest generation is never collected.

    Ten batches of so many clients, every tenth of which leaves in the middle of its request. The short form would see
    2 KB of each stay; to the byte it is test_connections_that_came_over_sockets_leave_no_garbage.
    """
    with Upstream(returns_the_body, keep=16) as production, Upstream(returns_the_body, keep=16) as candidate:
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "sample": "1%"}],
        }
        with Proxy(tmp_path, config) as proxy:
            worker = proxy.worker()
            sizes, files = [], []
            for _ in range(10):
                _connect(proxy, batch)
                sizes.append(resident(worker))
                files.append(open_files(worker))
            assert sizes[-1] - sizes[1] < most, [f"{size / MIB:.1f}" for size in sizes]
            assert files[-1] <= files[1] + 4, files
            print(f"MiB after each {batch} connections:", " ".join(f"{size / MIB:.1f}" for size in sizes))


def _connect(proxy: Proxy, count: int) -> None:
    """So many clients, one request each. They reset: 100,000 ends in good order would use up the ports of this host."""
    for number in range(count):
        client = Client(proxy.address)
        body = b"%d" % number
        if number % 10:
            assert client.ask(post("/", body)).data == body
        else:
            client.send(post("/", body)[: -1 - number % 70])
        client.reset()
    until(lambda: proxy.admin_status("/readyz") == 200, 5, "a proxy that is ready")
