"""CPU of the recorder for each pair, by what the comparison finds, beside nginx's mirror of the same request."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from statistics import median

from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.measure import Load, Sample, measure
from bench.programs import find
from bench.scenarios import LARGE, LARGE_OTHER, SMALL, Scenario
from bench.table import markdown, spread

_BOTH = ("nginx", "shadowproxy")
_TEXT = b"the answer is a text of some length that no parser takes for JSON " * 15
_DEEP = json.dumps({"outputs": [{"name": f"n{k}", "data": [k, k + 1, {"x": [k]}]} for k in range(20)]}).encode()
CASES = (
    Scenario("equal", "equal, 0.4 KiB of JSON", _BOTH, SMALL, SMALL),
    Scenario("equal-large", "equal, 1 KiB of JSON", _BOTH, LARGE, LARGE),
    Scenario("differ", "every number differs, 1 KiB of JSON", _BOTH, LARGE, LARGE_OTHER),
    Scenario("field", "one field differs, 1 KiB of nested JSON", _BOTH, _DEEP, _DEEP.replace(b"n19", b"n20")),
    Scenario(
        "text", "incomparable: 1 KB that says it is JSON and is none", _BOTH, _TEXT, _TEXT.replace(b"some", b"any")
    ),
)
_BUDGETS = {"equal": 1.0, "differ": 2.0}
_RATE = 2000.0
_LENGTHS = {Effort.QUICK: (1, 1.0), Effort.POINT: (1, 2.0), Effort.PROOF: (11, 5.0)}  # rounds, seconds


def measure_recorder(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    rounds, window_s = _LENGTHS[chosen.effort]
    load = Load(_RATE, 1.0, window_s, proxy_core=proxy_core, load_core=load_core)
    samples: dict[str, list[tuple[Sample, Sample]]] = {case.name: [] for case in CASES}
    program = find("nginx") or ""
    for number in range(rounds):
        for case in CASES if number % 2 == 0 else reversed(CASES):
            print(f"round {number + 1} of {rounds}: {case.name}", file=sys.stderr)
            peer, mine = (measure(case, proxy, replace(load), program) for proxy in _BOTH)
            samples[case.name].append((peer, mine))
    ratios = {
        name: median(mine.cpu_us["recorder"] / peer.cpu_us["nginx"] for peer, mine in found)
        for name, found in samples.items()
    }
    rows = [
        [
            case.title,
            str(spread(mine.cpu_us["recorder"] for _, mine in samples[case.name])),
            str(spread(peer.cpu_us["nginx"] for peer, _ in samples[case.name])),
            f"{ratios[case.name]:.2f}",
            f"≤ {_BUDGETS[case.name]}" if case.name in _BUDGETS else "",
        ]
        for case in CASES
    ]
    return Finding(
        tables=[markdown(["answers", "recorder, µs a pair", "nginx `mirror`, µs a request", "×", "budget"], rows)],
        data={name: [[asdict(each) for each in pair] for pair in found] for name, found in samples.items()},
        ratios=ratios,
        warnings=[
            f"{name}: only {mine.recorded_share:.1%} of the pairs are on disk"
            for name, found in samples.items()
            for _, mine in found
            if mine.recorded_share is not None and mine.recorded_share < 0.99
        ],
        headline=[
            Headline(f"recorder's CPU, {name}", f"{ratios[key]:.2f} × nginx's `mirror`", f"≤ {_BUDGETS[key]}")
            for key, name in (("equal", "equal answers"), ("differ", "1 KiB answers that differ"))
        ],
        load=f"{_RATE:,g} requests/s over {load.connections} connections, {rounds} rounds in turns of {window_s:g} s",
    )


EXPERIMENT = Experiment("recorder", __doc__, measure_recorder, needs=("nginx",))

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
