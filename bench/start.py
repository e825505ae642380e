"""How long it takes to be ready, and to say what it can do: medians, everything on one machine as it is."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import shadow
from bench.cores import pinned
from bench.experiment import Effort, Experiment, Finding, Headline, run
from bench.failure import MeasurementError
from bench.measure import free_ports, is_ready
from bench.scenarios import SCENARIOS
from bench.table import markdown, spread

_CLONE = Path(__file__).parent.parent
_TIMES = {Effort.QUICK: 3, Effort.POINT: 7, Effort.PROOF: 21}
_READY_S = 30.0
_READY_GOAL_S, _HELP_GOAL_S = 1.5, 0.15


def measure_start(chosen: argparse.Namespace) -> Finding:
    count = _TIMES[chosen.effort]
    ready = [ready_s() for _ in range(count)]
    told = [_command_s("-m", "shadowproxy", "--help") for _ in range(count)]
    bare = [_command_s("-c", "pass") for _ in range(count)]
    rows = [
        ["`run`, one candidate, until /readyz says 200", f"{spread(ready)}", f"≤ {_READY_GOAL_S}"],
        ["`--help`", f"{spread(told)}", f"≤ {_HELP_GOAL_S}"],
        ["for reference: `python -c pass`", f"{spread(bare)}", ""],
    ]
    return Finding(
        tables=[markdown(["from start", "seconds", "goal"], rows)],
        data={"ready_s": ready, "help_s": told, "bare_s": bare},
        ratios={"help to bare": median(told) / median(bare), "ready to bare": median(ready) / median(bare)},
        headline=[
            Headline("ready", f"{median(ready):.2f} s", f"≤ {_READY_GOAL_S} s"),
            Headline("`--help`", f"{median(told) * 1000:.0f} ms", f"≤ {_HELP_GOAL_S * 1000:.0f} ms"),
        ],
        load=f"{count} times each; median (smallest–largest)",
    )


def ready_s() -> float:
    """Seconds from starting the command to the first /readyz that says 200; the models need not be there."""
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        listen, admin, production, candidate = free_ports(4)
        scenario = next(each for each in SCENARIOS if each.mirrors)
        command = shadow.command(place, scenario, listen, admin, production, candidate)
        began = time.perf_counter()
        with pinned(command, None, _CLONE, place / "stderr"):
            while not is_ready(admin):
                if time.perf_counter() - began > _READY_S:
                    said = (place / "stderr").read_text(errors="replace")[-2000:]
                    raise MeasurementError(f"not ready within {_READY_S:.0f} s:\n{said}")
                time.sleep(0.005)
            return time.perf_counter() - began


def _command_s(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=_CLONE, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return time.perf_counter() - began


EXPERIMENT = Experiment("start", __doc__, measure_start, cores=1)

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
