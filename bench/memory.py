"""What a candidate that hangs costs in memory: bodies of 64 KiB, mirrored to a model that takes them and never answers.

The budget is `mirror.max_buffered`, 64 MiB by default: bytes that are held for mirroring and recording. What grows
beyond it is the objects that hold them.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import cores
from bench.experiment import Effort, Experiment, Finding, run, two_cores
from bench.idle import memory_mb
from bench.measure import Load, Stand, standing
from bench.programs import find
from bench.scenarios import SCENARIOS, TARGET
from bench.table import markdown
from shadowproxy.bench.address import parse
from shadowproxy.bench.openloop import offer
from shadowproxy.bench.plan import Plan, request_bytes

_SECONDS = {Effort.QUICK: 3.0, Effort.POINT: 8.0, Effort.PROOF: 60.0}
_RATE = 500.0
_BODY = b'{"x": "' + b"a" * (64 << 10) + b'"}'
_BUDGET_MB = (64 << 20) / 1e6


def measure_memory(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    seconds = _SECONDS[chosen.effort]
    rows, data, ratios = [], {}, {}
    for name, title, candidates in (("healthy", "answers", 1), ("hangs", "hangs", 1), ("five", "five that hang", 5)):
        print(f"a candidate that {title}" if candidates == 1 else title, file=sys.stderr)
        load = Load(_RATE, 0, seconds, proxy_core=proxy_core, load_core=load_core)
        before, peak, failed = _grown(load, candidates, hangs=name != "healthy")
        grown = {role: peak[role] - before[role] for role in ("worker", "recorder")}
        data[name] = {"before_mb": before, "peak_mb": peak, "failed": failed}
        ratios[f"{name} worker to budget"] = grown["worker"] / _BUDGET_MB
        rows.append(
            [
                title,
                f"{before['worker']:.0f} → {peak['worker']:.0f} MB",
                f"{grown['worker'] / _BUDGET_MB:.2f}",
                f"{before['recorder']:.0f} → {peak['recorder']:.0f} MB",
                f"{failed:,}",
            ]
        )
    columns = ["candidate", "worker", "growth ÷ max_buffered", "recorder", "client requests failed"]
    return Finding(
        tables=[markdown(columns, rows)],
        data=data,
        ratios=ratios,
        load=f"{_RATE:,g} requests/s of 64 KiB for {seconds:g} s; resident sizes, the largest of ten looks a second",
    )


def _grown(load: Load, candidates: int, *, hangs: bool) -> tuple[dict[str, float], dict[str, float], int]:
    scenario = next(each for each in SCENARIOS if each.name == "mirror")
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory, hanging() as port:
        models = [{"name": f"v{k + 2}", "url": f"http://127.0.0.1:{port}"} for k in range(candidates)]
        settings = {"candidates": models} if hangs else {}
        with standing(scenario, "shadowproxy", Path(directory), load, find("nginx") or "", settings) as stand:
            before = memory_mb(stand, cores.rss_bytes)
            peak, failed = asyncio.run(_watched(stand, load))
            return before, peak, failed


async def _watched(stand: Stand, load: Load) -> tuple[dict[str, float], int]:
    address = parse(f"http://127.0.0.1:{stand.port}{TARGET}")
    request = request_bytes("POST", TARGET, address.authority, _BODY, {"Content-Type": "application/json"})
    plan = Plan(address, [request], load.rate_per_s, load.window_s, connections=load.connections)
    task = asyncio.create_task(offer(plan))
    peak = memory_mb(stand, cores.rss_bytes)
    while not task.done():
        await asyncio.wait([task], timeout=0.1)
        now = memory_mb(stand, cores.rss_bytes)
        peak = {role: max(used, now[role]) for role, used in peak.items()}
    return peak, task.result().failed


@contextmanager
def hanging() -> Iterator[int]:
    """A port where connections are made and requests read, and nothing is ever said."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    loop = asyncio.new_event_loop()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while await reader.read(1 << 16):
                pass
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(swallow, sock=listening))
    thread = threading.Thread(target=loop.run_forever, name="hanging", daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


EXPERIMENT = Experiment("memory", __doc__, measure_memory, needs=("nginx",))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
