"""CPU per request with one, two and four workers on one core, at one rate: what a worker more costs.

Two cores, one of which offers the load, cannot show that more workers serve more. What they show is whether a request
stays as cheap when connections are spread over several; beyond the cores that is reported, not judged.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.experiment import Effort, Experiment, Finding, run, two_cores
from bench.measure import Load, Sample, measure_through
from bench.programs import find
from bench.scenarios import SCENARIOS
from bench.table import markdown, spread

_COUNTS = (1, 2, 4)
_RATE = 4000.0
_LENGTHS = {Effort.QUICK: (1, 1.0), Effort.POINT: (2, 2.0), Effort.PROOF: (11, 5.0)}  # rounds, seconds


def measure_workers(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    rounds, window_s = _LENGTHS[chosen.effort]
    load = Load(_RATE, 0.5, window_s, proxy_core=proxy_core, load_core=load_core)
    mirror = next(each for each in SCENARIOS if each.name == "mirror")
    samples: dict[int, list[Sample]] = {count: [] for count in _COUNTS}
    for number in range(rounds):
        for count in _COUNTS if number % 2 == 0 else reversed(_COUNTS):
            with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
                print(f"round {number + 1} of {rounds}: {count} workers", file=sys.stderr)
                place = Path(directory)
                samples[count].append(
                    measure_through(mirror, "shadowproxy", place, load, find("nginx") or "", {"workers": count})
                )
    used = {count: spread(each.cpu_us["worker"] for each in found) for count, found in samples.items()}
    relative = {
        count: spread(b.cpu_us["worker"] / a.cpu_us["worker"] for a, b in zip(samples[1], found, strict=True))
        for count, found in samples.items()
    }
    rows = [[str(count), str(used[count]), "" if count == 1 else str(relative[count])] for count in _COUNTS]
    return Finding(
        tables=[markdown(["workers", "CPU of all workers, µs a mirrored request", "× one worker"], rows)],
        data={str(count): [asdict(each) for each in found] for count, found in samples.items()},
        ratios={f"{count} to 1": found.middle for count, found in relative.items() if found and count > 1},
        load=f"{_RATE:,g} requests/s over {load.connections} connections, {rounds} rounds in turns of {window_s:g} s",
    )


EXPERIMENT = Experiment("workers", __doc__, measure_workers, needs=("nginx",))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
