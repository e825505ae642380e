"""CPU per request of shadowproxy beside nginx, at one offered rate, in one run.

The proxy has one core, load and models another. Each round measures every proxy in every scenario once, in turns
that reverse from round to round, so that drift of the machine falls on all alike.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from bench.experiment import Effort, Experiment, Finding, run, two_cores
from bench.measure import Load, Sample, measure
from bench.programs import find
from bench.scenarios import SCENARIOS
from bench.table import cpu_table, latency_table, ratio, warnings

_HERE = Path(__file__).parent
_LOADS = {
    Effort.QUICK: (Load(rate_per_s=2000, warmup_s=0.5, window_s=3), 3),
    Effort.POINT: (Load(rate_per_s=2000, warmup_s=1, window_s=5), 5),
    Effort.PROOF: (Load(rate_per_s=2000, warmup_s=2, window_s=10), 11),
}


def measure_peers(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    load, count = _LOADS[chosen.effort]
    load = replace(load, rate_per_s=chosen.rate or load.rate_per_s, window_s=chosen.window or load.window_s)
    load = replace(load, proxy_core=proxy_core, load_core=load_core)
    rounds = _measure(load, chosen.rounds or count, chosen.scenario, chosen.proxy, find("nginx") or "")
    titles = {each.name: each.title for each in SCENARIOS if each.name in chosen.scenario}
    budgets = json.loads((_HERE / "budgets.json").read_text(encoding="utf-8"))
    return Finding(
        tables=[cpu_table(rounds, titles, budgets), latency_table(rounds, titles)],
        data={"load": asdict(load), "rounds": [[asdict(s) for s in each] for each in rounds]},
        ratios={
            f"{name} {role}": found.middle
            for name in titles
            for role in ("worker", "recorder")
            if (found := ratio(rounds, name, role)) is not None
        },
        warnings=warnings(rounds),
        load=(
            f"{load.rate_per_s:g} requests/s over {load.connections} connections, {len(rounds)} interleaved rounds of "
            f"{load.window_s:g} s; median (smallest–largest)"
        ),
    )


def _options(parser: argparse.ArgumentParser) -> None:
    names = [scenario.name for scenario in SCENARIOS]
    proxies = list(dict.fromkeys(proxy for scenario in SCENARIOS for proxy in scenario.proxies))
    parser.add_argument("--rate", type=float, help="requests per second (2000)")
    parser.add_argument("--window", type=float, help="seconds measured each time (10; quick: 3)")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (11; quick: 3)")
    parser.add_argument("--scenario", choices=names, nargs="+", default=names)
    parser.add_argument("--proxy", choices=proxies, nargs="+", default=proxies)


def _measure(load: Load, count: int, scenarios: list[str], proxies: list[str], program: str) -> list[list[Sample]]:
    turns = [
        (each, proxy) for each in SCENARIOS if each.name in scenarios for proxy in each.proxies if proxy in proxies
    ]
    rounds: list[list[Sample]] = []
    for number in range(count):
        rounds.append([])
        for scenario, proxy in turns if number % 2 == 0 else reversed(turns):
            print(f"round {number + 1} of {count}: {scenario.name}, {proxy}", file=sys.stderr)
            rounds[-1].append(measure(scenario, proxy, load, program))
    return rounds


EXPERIMENT = Experiment("peers", __doc__, measure_peers, needs=("nginx",), options=_options)

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
