"""Server-sent events: what a proxy adds to the time of each event, and its CPU for each that it passes on.

An event's age on arrival is the receiver's clock minus the sender's stamp in it; what a proxy adds is that age minus
the same without any proxy, in the same round. CPU is the worker's over the events that arrived. A thousand streams that
begin at once are not mirrored: of new connections to a candidate a worker makes a few each second, and no more.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import envoy, nginx, shadow
from bench.cores import cpu_ns, pinned, tree
from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.failure import MeasurementError
from bench.measure import free_ports, settle, wait_until_listening
from bench.programs import find
from bench.scenarios import SCENARIOS
from bench.table import NAMES, markdown

_CLONE = Path(__file__).parent.parent
_BUDGET_US = 60
_FEWEST = 0.5  # of the events that were due, below which a window shows nothing
_ENOUGH = 0.98
_EVENTS = 100_000  # a stream outlives its measurement


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    title: str
    streams: int
    gap_ms: float
    mirrored: bool = True


CASES = (
    Case("few", "20 streams, an event each 20 ms", 20, 20),
    Case("many", "1,000 streams, 4 events/s each", 1000, 250, mirrored=False),
)
# name → whether the stream is mirrored too
PROXIES = {"direct": False, "nginx": False, "envoy": False, "shadowproxy": False, "shadowproxy, mirrored": True}
_LENGTHS = {Effort.QUICK: (1, 1.5), Effort.POINT: (1, 3.0), Effort.PROOF: (11, 10.0)}  # rounds, seconds


@dataclass(frozen=True, slots=True)
class Window:
    case: str
    proxy: str
    events: int
    p50_ms: float
    p99_ms: float
    cpu_us: float
    kept_up: float  # events that arrived, of those that were due
    copied: float | None = None  # streams that the candidate got a copy of


def measure_streaming(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    rounds, window_s = _LENGTHS[chosen.effort]
    left_out = {"envoy", "direct", "shadowproxy, mirrored"} if chosen.effort is Effort.QUICK else set()
    cells = [
        (case, name)
        for case in CASES
        for name, is_mirrored in PROXIES.items()
        if name not in left_out and (name != "envoy" or find("envoy")) and (case.mirrored or not is_mirrored)
    ]
    found: list[list[Window]] = []
    for number in range(rounds):
        found.append([])
        for case, proxy in cells if number % 2 == 0 else reversed(cells):
            print(f"round {number + 1} of {rounds}: {case.name}, {proxy}", file=sys.stderr)
            found[-1].append(_measured(case, proxy, proxy_core, load_core, window_s))
    rows = [_row(case, proxy, found) for case, proxy in cells]
    ratios = {
        f"{case.name} {proxy} to nginx": median(
            _of(each, case.name, proxy).cpu_us / _of(each, case.name, "nginx").cpu_us for each in found
        )
        for case, proxy in cells
        if proxy.startswith("shadowproxy")
    }
    columns = ["streams", "through", "events/s", "p50 of age, ms", "p99, ms", "worker, µs an event", "budget"]
    return Finding(
        tables=[markdown(columns, rows)],
        data={"rounds": [[asdict(each) for each in part] for part in found], "window_s": window_s},
        ratios=ratios,
        warnings=[sentence for part in found for each in part for sentence in _doubts(each)],
        headline=[
            Headline(
                f"worker's CPU an event, {case.title}",
                f"{median(_of(each, case.name, 'shadowproxy').cpu_us for each in found):.0f} µs",
                f"≤ {_BUDGET_US} µs",
            )
            for case in CASES
        ],
        load=f"{rounds} rounds in turns of {window_s:g} s; in brackets what is added to no proxy at all; medians",
    )


def _doubts(window: Window) -> Iterator[str]:
    where = f"{NAMES.get(window.proxy, window.proxy)}, {window.case}"
    if window.kept_up < _ENOUGH:
        yield f"{where}: only {window.kept_up:.1%} of the events arrived in time"
    if window.copied is not None and window.copied < _ENOUGH:
        yield f"{where}: only {window.copied:.1%} of the streams were copied"


def _of(windows: list[Window], case: str, proxy: str) -> Window:
    return next(each for each in windows if (each.case, each.proxy) == (case, proxy))


def _row(case: Case, proxy: str, found: list[list[Window]]) -> list[str]:
    mine = [_of(each, case.name, proxy) for each in found]
    direct = [each for part in found for each in part if (each.case, each.proxy) == (case.name, "direct")]
    cells = []
    for name in ("p50_ms", "p99_ms"):
        cells.append(f"{median(getattr(each, name) for each in mine):.2f}")
        if direct and proxy != "direct":
            added = median(getattr(a, name) - getattr(b, name) for a, b in zip(mine, direct, strict=True))
            cells[-1] += f" ({added:+.2f})"
    used = "" if proxy == "direct" else f"{median(each.cpu_us for each in mine):.1f}"
    expected = case.streams * 1000 / case.gap_ms
    budget = f"≤ {_BUDGET_US}" if proxy == "shadowproxy" else ""
    return [case.title, NAMES.get(proxy, proxy), f"{expected:,.0f}", *cells, used, budget]


def _measured(case: Case, proxy: str, proxy_core: int, load_core: int, window_s: float) -> Window:
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with _standing(case, proxy, place, proxy_core, load_core) as (pid, port):
            window = _window(case, proxy, pid, port, load_core, window_s)
        return replace(window, copied=shadow.copied_share(place)) if PROXIES[proxy] else window


def _window(case: Case, proxy: str, pid: int | None, port: int, core: int, window_s: float) -> Window:
    command = [sys.executable, "-m", "bench.events", "listen", str(port), str(case.streams), str(window_s)]
    used = [0, 0]
    with subprocess.Popen(["taskset", "-c", str(core), *command], cwd=_CLONE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for index, mark in enumerate((b"begin\n", b"end\n")):
            if child.stdout.readline() != mark:
                child.kill()
                raise MeasurementError(f"streams through {proxy} could not be opened; see above")
            used[index] = _cpu_ns(proxy, pid)
        outcome = json.loads(child.stdout.readline())
    expected = case.streams * window_s * 1000 / case.gap_ms
    if outcome["ended"] or outcome["events"] < _FEWEST * expected:
        raise MeasurementError(f"{proxy} passed on {outcome['events']} of {expected:.0f} events: {outcome}")
    cpu_us = (used[1] - used[0]) / outcome["events"] / 1e3
    return Window(
        case.name, proxy, outcome["events"], outcome["p50_ms"], outcome["p99_ms"], cpu_us, outcome["events"] / expected
    )


def _cpu_ns(proxy: str, pid: int | None) -> int:
    if pid is None:
        return 0
    return cpu_ns(shadow.roles(pid)["worker"] if proxy.startswith("shadowproxy") else tree(pid))


@contextmanager
def _standing(case: Case, proxy: str, place: Path, proxy_core: int, load_core: int) -> Iterator[tuple[int | None, int]]:
    production, candidate, listen, admin = free_ports(4)
    log, program = place / "stderr", find("nginx") or ""
    with ExitStack() as stack:
        for port in (production, candidate) if PROXIES[proxy] else (production,):
            model = [sys.executable, "-m", "bench.events", "serve", str(port), str(case.gap_ms), str(_EVENTS)]
            stack.enter_context(pinned(model, load_core, _CLONE, log, stop_s=1))
            wait_until_listening(port, log)
        if proxy == "direct":
            yield None, production
            return
        if proxy == "nginx":
            peer = place / "peer"
            peer.mkdir()
            command = nginx.command(program, peer, nginx.streaming(peer, listen, production))
        elif proxy == "envoy":
            command = envoy.command(find("envoy") or "", place, listen, production, {})
        else:
            scenario = next(each for each in SCENARIOS if each.mirrors is PROXIES[proxy])
            # A candidate's streams are under way for as long as production's, all at once.
            limits = {"drain_delay": "0s", "drain": "1s"}
            more: dict[str, object] = {"limits": limits, "production": _lasting(production)}
            if PROXIES[proxy]:
                url = f"http://127.0.0.1:{candidate}"
                more["candidates"] = [{"name": "v2", "url": url, "max_in_flight": 2 * case.streams}]
            command = shadow.command(place, scenario, listen, admin, production, candidate, more)
        process = stack.enter_context(pinned(command, proxy_core, _CLONE, log, stop_s=5))
        wait_until_listening(listen, log)
        settle(process.pid)
        yield process.pid, listen


def _lasting(port: int) -> dict[str, object]:
    return {"url": f"http://127.0.0.1:{port}", "connections": 4096}


EXPERIMENT = Experiment("streaming", __doc__, measure_streaming, needs=("nginx",), peers=("envoy",))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
