"""The load itself, beside wrk: how much it offers from one core, and whether both see the same latencies.

Server and load have a core each. Flat out, nginx answers at once: what is compared is how fast each asks. For latencies
an answer takes between 4 and 12 ms, so that the server's time is what both see and not their own queues; wrk writes
its next request only in the next turn of its loop, so that its figures at saturation leave that wait out. wrk makes up
latencies for each above twice the mean; none is, so that both percentiles are of what was seen.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import delaying, nginx
from bench.cores import pinned
from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.failure import MeasurementError
from bench.measure import free_ports, wait_until_answering
from bench.programs import find
from bench.scenarios import Scenario
from bench.table import markdown

_CLONE = Path(__file__).parent.parent
_CONNECTIONS = 32
_STEADY_RATE = 25_000
_QUANTILES = ("p50", "p75", "p90", "p99")
_TINY = Scenario("tiny", "an answer of two bytes", (), b"{}")
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
# (windows of each, seconds)
_LENGTHS = {Effort.QUICK: (1, 2), Effort.POINT: (3, 3), Effort.PROOF: (20, 5)}


@dataclass(frozen=True, slots=True)
class Run:
    answers_per_s: float
    latency_ms: dict[str, float]
    late_p99_ms: float | None = None


def measure_generator(chosen: argparse.Namespace) -> Finding:
    server, load = two_cores()
    count, window_s = _LENGTHS[chosen.effort]
    flat: list[tuple[Run, Run]] = []
    slow: list[tuple[Run, Run]] = []
    steady: list[Run] = []
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        with _answering_at_once(place, server) as url:
            for _ in range(count):
                flat.append((ours(url, load, window_s, "max"), wrk(url, load, window_s)))
                steady.append(ours(url, load, window_s, str(_STEADY_RATE)))
        with _delaying(place, server) as url:
            for _ in range(count):
                slow.append((ours(url, load, window_s, "max"), wrk(url, load, window_s)))
    ratios = {"rate to wrk": _middle(mine.answers_per_s / its.answers_per_s for mine, its in flat)} | {
        f"{name} to wrk": _middle(mine.latency_ms[name] / its.latency_ms[name] for mine, its in slow)
        for name in _QUANTILES
    }
    return Finding(
        tables=[_table(flat, slow, steady)],
        data={"flat out": _plain(flat), "delayed": _plain(slow), "steady": [asdict(each) for each in steady]},
        ratios=ratios,
        headline=[Headline("`shadowproxy bench`, answers/s", f"{ratios['rate to wrk']:.2f} × wrk's", "≥ 0.7")],
        load=f"{_CONNECTIONS} connections, {count} windows of {window_s} s each in turns, medians",
    )


def _table(flat: Sequence[tuple[Run, Run]], slow: Sequence[tuple[Run, Run]], steady: Sequence[Run]) -> str:
    rows = [_row("answers/s, answered at once", [(a.answers_per_s, b.answers_per_s) for a, b in flat], "{:,.0f}")]
    rows.append(
        _row("answers/s, answered after 4–12 ms", [(a.answers_per_s, b.answers_per_s) for a, b in slow], "{:,.0f}")
    )
    rows += [
        _row(f"{name} of those, ms", [(a.latency_ms[name], b.latency_ms[name]) for a, b in slow], "{:.2f}")
        for name in _QUANTILES
    ]
    late = _middle(each.late_p99_ms or 0.0 for each in steady)
    kept = f"{_middle(each.answers_per_s for each in steady):,.0f}, p99 of lateness {late:.2f} ms"
    rows.append([f"answers/s at a rate of {_STEADY_RATE:,}/s", kept, "has no rate", ""])
    return markdown(["", "shadowproxy bench", "wrk", "ratio"], rows)


def _row(name: str, pairs: Sequence[tuple[float, float]], form: str) -> list[str]:
    mine, its = _middle(a for a, _ in pairs), _middle(b for _, b in pairs)
    return [name, form.format(mine), form.format(its), f"{_middle(a / b for a, b in pairs):.2f}"]


def _middle(values: Iterator[float]) -> float:
    return median(list(values))


def _plain(pairs: Sequence[tuple[Run, Run]]) -> list[dict[str, object]]:
    return [{"shadowproxy": asdict(mine), "wrk": asdict(its)} for mine, its in pairs]


def ours(url: str, core: int, window_s: int, rate: str) -> Run:
    command = [sys.executable, "-m", "shadowproxy", "bench", url, "--rate", rate, "--duration", f"{window_s}s"]
    said = _run([*command, "--warmup", "300ms", "--connections", str(_CONNECTIONS), "--format", "json"], core)
    (found,) = json.loads(said)["urls"]
    if found["failed"]:
        raise MeasurementError(f"{found['failed']} of {found['offered']} requests failed: {found['errors']}")
    return Run(found["rate_per_s"], {name: found["latency_ms"][name] for name in _QUANTILES}, found["late_ms"]["p99"])


def wrk(url: str, core: int, window_s: int) -> Run:
    program = find("wrk") or "wrk"
    said = _run([program, "-t1", f"-c{_CONNECTIONS}", f"-d{window_s}s", "--latency", url], core)
    return parse_wrk(said)


def parse_wrk(said: str) -> Run:
    """Raises MeasurementError where the output is not what wrk prints."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    found = re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    if rate is None or len(found) != len(_QUANTILES) or "Non-2xx" in said or "Socket errors" in said:
        raise MeasurementError(f"wrk said: {said}")
    return Run(float(rate[1]), {f"p{share}": float(value) * _UNITS[unit] for share, value, unit in found})


def _run(command: Sequence[str], core: int) -> str:
    done = subprocess.run(
        ["taskset", "-c", str(core), *command], cwd=_CLONE, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise MeasurementError(f"{command[0]} exited with {done.returncode}: {done.stderr}")
    return done.stdout


@contextmanager
def _answering_at_once(place: Path, core: int) -> Iterator[str]:
    port, other, status = free_ports(3)
    text = nginx.models(place, _TINY, port, other, status)
    with pinned(nginx.command(find("nginx") or "nginx", place, text), core, place, place / "stderr"):
        wait_until_answering(port, place / "stderr")
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def _delaying(place: Path, core: int) -> Iterator[str]:
    (port,) = free_ports(1)
    with pinned(delaying.command(port), core, _CLONE, place / "stderr"):
        wait_until_answering(port, place / "stderr")
        yield f"http://127.0.0.1:{port}/"


EXPERIMENT = Experiment("generator", __doc__, measure_generator, needs=("nginx", "wrk"))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
