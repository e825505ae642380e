"""Memory at rest, and of connections that do nothing: 10,000 clients that have asked once and stay."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import cores
from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.failure import MeasurementError
from bench.measure import Load, Stand, standing
from bench.programs import find
from bench.scenarios import SCENARIOS, request_for
from bench.table import markdown
from shadowproxy.supervisor.files import raise_limit

_COUNTS = {Effort.QUICK: 1_000, Effort.POINT: 10_000, Effort.PROOF: 10_000}
_SPARE = 200  # descriptors that are not clients'
_MB = 1e6
_WORKER_GOAL_MB, _ALL_GOAL_MB, _IDLE_GOAL_MB = 60, 220, 100
_ANSWER_S = 10.0


def measure_idle(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    wanted = chosen.connections or _COUNTS[chosen.effort]
    if raise_limit() < wanted + _SPARE:
        raise MeasurementError(f"{wanted} connections take as many file descriptors: raise `ulimit -n`")
    load = Load(None, 0, 1, proxy_core=proxy_core, load_core=load_core)
    mirror = next(each for each in SCENARIOS if each.name == "mirror")
    limits = {"connections": wanted + _SPARE, "drain_delay": "0s"}
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with standing(mirror, "shadowproxy", place, load, find("nginx") or "", {"limits": limits}) as stand:
            rest = memory_mb(stand, cores.pss_bytes)
            before = memory_mb(stand, cores.rss_bytes)["worker"]
            with connected(stand.port, wanted):
                idle_mb = memory_mb(stand, cores.rss_bytes)["worker"] - before
    rows = [[f"{role} at rest", f"{used:.1f} MB", ""] for role, used in rest.items()]
    rows[0][2] = f"≤ {_WORKER_GOAL_MB} MB"
    rows.append(["all processes at rest", f"{sum(rest.values()):.1f} MB", f"≤ {_ALL_GOAL_MB} MB"])
    rows.append(
        [
            f"{wanted:,} idle connections, the worker's growth",
            f"{idle_mb:.1f} MB, {idle_mb * _MB / wanted / 1e3:.1f} kB each",
            f"≤ {_IDLE_GOAL_MB} MB" if wanted == _COUNTS[Effort.POINT] else "",
        ]
    )
    return Finding(
        tables=[markdown(["", "memory", "goal"], rows)],
        data={"rest_mb": rest, "idle_mb": idle_mb, "connections": wanted},
        ratios={"idle kB each": idle_mb * _MB / wanted / 1e3, "worker MB at rest": rest["worker"]},
        headline=[
            Headline(f"{wanted:,} idle connections", f"{idle_mb:.0f} MB", f"≤ {_IDLE_GOAL_MB} MB"),
            Headline("a worker at rest", f"{rest['worker']:.0f} MB", f"≤ {_WORKER_GOAL_MB} MB"),
            Headline("all processes at rest", f"{sum(rest.values()):.0f} MB", f"≤ {_ALL_GOAL_MB} MB"),
        ],
        load="proportional set size at rest (shared pages divided among those that share them), resident growth",
    )


def memory_mb(stand: Stand, of: object) -> dict[str, float]:
    assert callable(of)
    return {role: sum(of(pid) for pid in pids) / _MB for role, pids in stand.processes().items()}


@contextmanager
def connected(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Clients that have had an answer and stay connected. Raises MeasurementError when one has none."""
    request = request_for(port)
    clients: list[socket.socket] = []
    try:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S)
            clients.append(client)
            client.sendall(request)
            if not client.recv(1 << 16).startswith(b"HTTP/1.1 200"):
                raise MeasurementError(f"connection {len(clients)} of {count} was not answered with 200")
        # What is under way ends: acknowledgements, a flush.
        time.sleep(1.5)
        yield clients
    finally:
        for client in clients:
            client.close()


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=int, help="how many (10,000; quick: 1,000)")


EXPERIMENT = Experiment("idle", __doc__, measure_idle, needs=("nginx",), options=_options)

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
