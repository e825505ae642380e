"""Whether a request costs more the longer the proxy runs, the more it has logged or the more connections are open.

One life of the proxy, the same rate again and again: CPU of the worker for each request in the first and in the last
window, then with connections open that do nothing.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import cores
from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.idle import connected, memory_mb
from bench.measure import Load, Stand, offer_through, standing
from bench.programs import find
from bench.scenarios import SCENARIOS
from bench.table import markdown
from shadowproxy.supervisor.files import raise_limit

_RATE = 4000.0
_SPARE = 200


@dataclass(frozen=True, slots=True)
class _Length:
    windows: int
    window_s: float
    open: tuple[int, ...]


_LENGTHS = {
    Effort.QUICK: _Length(3, 1.0, (1_000,)),
    Effort.POINT: _Length(12, 2.0, (1_000, 5_000)),
    Effort.PROOF: _Length(60, 5.0, (1_000, 5_000, 10_000)),
}


@dataclass(frozen=True, slots=True)
class _Window:
    served: int  # before it
    cpu_us: float
    recorder_us: float
    worker_mb: float


def measure_growth(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    length = _LENGTHS[chosen.effort]
    possible = raise_limit() - _SPARE
    load = Load(_RATE, 0.3, length.window_s, proxy_core=proxy_core, load_core=load_core)
    mirror = next(each for each in SCENARIOS if each.name == "mirror")
    limits = {"connections": max(length.open) + _SPARE, "drain_delay": "0s"}
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with standing(mirror, "shadowproxy", place, load, find("nginx") or "", {"limits": limits}) as stand:
            windows = [_window(stand, load, 0)]  # the first request's caches are made; it is not compared
            served = windows[0].served
            windows = []
            for number in range(length.windows):
                print(f"window {number + 1} of {length.windows}", file=sys.stderr)
                windows.append(_window(stand, load, served))
                served = windows[-1].served
            opened = {}
            for count in (count for count in length.open if count <= possible):
                print(f"{count} connections open", file=sys.stderr)
                with connected(stand.port, count):
                    opened[count] = _window(stand, load, served)
    third = max(1, length.windows // 3)
    first, last = (_middle(part) for part in (windows[:third], windows[-third:]))
    rows = [_row(f"the first {third} of {length.windows} windows", first, None)]
    rows.append(_row(f"the last {third}, {served:,} requests and pairs later", last, first))
    rows += [_row(f"with {count:,} idle connections open", each, last) for count, each in opened.items()]
    return Finding(
        tables=[markdown(["", "worker, µs a request", "×", "recorder, µs a pair", "worker's memory"], rows)],
        data={"windows": [(w.served, w.cpu_us, w.recorder_us, w.worker_mb) for w in windows], "requests": served},
        ratios={
            "last to first": last.cpu_us / first.cpu_us,
            **{f"{count} open to none": each.cpu_us / last.cpu_us for count, each in opened.items()},
        },
        headline=[
            Headline(f"worker's CPU after {served:,} requests", f"{last.cpu_us / first.cpu_us:.2f} × the first's", ""),
        ],
        load=f"{_RATE:,g} mirrored requests/s, {length.windows} windows of {length.window_s:g} s in one life, medians",
    )


def _window(stand: Stand, load: Load, served: int) -> _Window:
    window = offer_through(stand, load)
    answered = window.outcome["answered_in_window"]
    return _Window(
        served + window.outcome["offered_with_warmup"],
        window.cpu_ns["worker"] / answered / 1e3,
        window.cpu_ns["recorder"] / answered / 1e3,
        memory_mb(stand, cores.rss_bytes)["worker"],
    )


def _middle(windows: list[_Window]) -> _Window:
    return _Window(
        windows[-1].served,
        median(each.cpu_us for each in windows),
        median(each.recorder_us for each in windows),
        windows[-1].worker_mb,
    )


def _row(name: str, each: _Window, before: _Window | None) -> list[str]:
    beside = f"{each.cpu_us / before.cpu_us:.2f}" if before else ""
    return [name, f"{each.cpu_us:.1f}", beside, f"{each.recorder_us:.1f}", f"{each.worker_mb:.0f} MB"]


EXPERIMENT = Experiment("growth", __doc__, measure_growth, needs=("nginx",))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
