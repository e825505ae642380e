"""Bodies of 10 MB both ways: GB/s through one core, and CPU for each GB, beside nginx with its buffering off.

With buffering on nginx writes an upload to a file before the first byte goes on, which neither Envoy nor shadowproxy
does. Nothing is mirrored: 10 MB is longer than `mirror_up_to`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import bulk, nginx, shadow
from bench.cores import cpu_ns, pinned, tree
from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.failure import MeasurementError
from bench.measure import free_ports, settle, wait_until_answering
from bench.offer import offered
from bench.programs import find
from bench.scenarios import SCENARIOS
from bench.table import markdown
from shadowproxy.bench.address import parse
from shadowproxy.bench.plan import Plan, request_bytes

_CLONE = Path(__file__).parent.parent
_CONNECTIONS = 4
_PROXIES = ("direct", "nginx", "shadowproxy")
_WAYS = {"up": "10 MB up", "down": "10 MB down"}
_BUDGET = 0.8
_LENGTHS = {Effort.QUICK: (1, 1.5), Effort.POINT: (2, 2.0), Effort.PROOF: (11, 5.0)}  # rounds, seconds


@dataclass(frozen=True, slots=True)
class Window:
    proxy: str
    way: str
    gb_per_s: float
    cpu_s_per_gb: float


def measure_large(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    rounds, window_s = _LENGTHS[chosen.effort]
    found: list[list[Window]] = []
    for number in range(rounds):
        found.append([])
        for proxy in _PROXIES if number % 2 == 0 else reversed(_PROXIES):
            print(f"round {number + 1} of {rounds}: {proxy}", file=sys.stderr)
            found[-1] += _measured(proxy, proxy_core, load_core, window_s)
    rows = []
    ratios = {}
    for way, title in _WAYS.items():
        for proxy in _PROXIES:
            rate, cost = (
                median(getattr(_of(each, proxy, way), name) for each in found) for name in ("gb_per_s", "cpu_s_per_gb")
            )
            beside = median(_of(each, proxy, way).gb_per_s / _of(each, "nginx", way).gb_per_s for each in found)
            rows.append([title, proxy, f"{rate:.2f}", f"{beside:.2f}", f"{cost:.2f}" if proxy != "direct" else ""])
            if proxy == "shadowproxy":
                rows[-1].append(f"≥ {_BUDGET}")
                ratios[f"{way} to nginx"] = beside
                ratios[f"{way} CPU to nginx"] = median(
                    _of(each, proxy, way).cpu_s_per_gb / _of(each, "nginx", way).cpu_s_per_gb for each in found
                )
            else:
                rows[-1].append("")
    return Finding(
        tables=[markdown(["body", "through", "GB/s", "× nginx", "CPU s for a GB", "goal, × nginx"], rows)],
        data={"rounds": [[asdict(each) for each in part] for part in found]},
        ratios=ratios,
        headline=[
            Headline(title, f"{ratios[f'{way} to nginx']:.2f} × nginx's GB/s", f"≥ {_BUDGET}")
            for way, title in _WAYS.items()
        ],
        load=f"{_CONNECTIONS} connections, closed loop, {rounds} rounds of {window_s:g} s; load and model on one core",
    )


def _of(windows: list[Window], proxy: str, way: str) -> Window:
    return next(each for each in windows if (each.proxy, each.way) == (proxy, way))


def _measured(proxy: str, proxy_core: int, load_core: int, window_s: float) -> Iterator[Window]:
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with _standing(proxy, place, proxy_core, load_core) as (pid, port):
            for way in _WAYS:
                yield asyncio.run(_window(proxy, way, pid, port, load_core, window_s))


async def _window(proxy: str, way: str, pid: int | None, port: int, core: int, window_s: float) -> Window:
    body = b"a" * bulk.BYTES if way == "up" else b""
    request = request_bytes("POST" if body else "GET", f"/{way}", "model", body, {})
    plan = Plan(
        parse(f"http://127.0.0.1:{port}/{way}"),
        [request],
        None,
        window_s,
        warmup_s=0.5,
        connections=_CONNECTIONS,
        timeout_s=30,
    )
    used: list[int] = []
    outcome = await offered(plan, core, lambda _: used.append(cpu_ns(tree(pid)) if pid else 0))
    count = outcome["answered_in_window"]
    if not count or outcome["errors"]:
        raise MeasurementError(f"{proxy} did not carry 10 MB {way}: {outcome}")
    gb = count * bulk.BYTES / 1e9
    return Window(proxy, way, gb / window_s, (used[1] - used[0]) / 1e9 / gb)


@contextmanager
def _standing(proxy: str, place: Path, proxy_core: int, load_core: int) -> Iterator[tuple[int | None, int]]:
    production, listen, admin, candidate = free_ports(4)
    program, log = find("nginx") or "", place / "stderr"
    peer = place / "peer"
    peer.mkdir()
    with pinned(bulk.command(production), load_core, _CLONE, log):
        wait_until_answering(production, log)
        if proxy == "direct":
            yield None, production
            return
        scenario = next(each for each in SCENARIOS if not each.mirrors)
        command = (
            nginx.command(program, peer, nginx.streaming(peer, listen, production))
            if proxy == "nginx"
            else shadow.command(place, scenario, listen, admin, production, candidate)
        )
        with pinned(command, proxy_core, _CLONE, log) as process:
            wait_until_answering(listen, log)
            settle(process.pid)
            yield process.pid, listen


EXPERIMENT = Experiment("large", __doc__, measure_large, needs=("nginx",))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
