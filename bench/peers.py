"""CPU per request, added latency and throughput of shadowproxy and its peers, at the same offered rates in one run.

The proxy has one core, load and models another. Each round measures every proxy in every scenario once, in turns
that reverse from round to round, so that drift of the machine falls on all alike. What budgets are held at is measured
in more rounds than the rest: one window's CPU time a request differs from the next one's by a tenth and more.

What a request costs falls as the rate grows, for every proxy: at 1,000/s each one wakes a process that slept, at
8,000/s several are served in one wake-up. Budgets are held at 4,000/s, which every peer that mirrors serves on one
core with some room left, so that work and not waking is compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench import builds
from bench.experiment import Effort, Experiment, Finding, Headline, run, two_cores
from bench.measure import Load, Sample, measure_each
from bench.programs import find
from bench.scenarios import SCENARIOS, Scenario
from bench.table import Budgets, Round, added_ms, cpu_table, latency_table, ratio, throughput_table, warnings

_HERE = Path(__file__).parent
JUDGED = 4000.0
QUIET = 1000.0  # where added latency is judged
RATES = (QUIET, JUDGED, 8000.0)
AGAIN = {  # scenario → whom budgets compare
    "pass": ("direct", "nginx", "shadowproxy"),
    "mirror": ("nginx", "envoy", "shadowproxy"),
    "differ": ("nginx", "shadowproxy"),
}
_TIMES_AGAIN = 2  # point figures; everything is measured so often anyway for proof
_LOADS = {
    Effort.QUICK: (Load(JUDGED, warmup_s=0.3, window_s=1.5), 1),
    Effort.POINT: (Load(JUDGED, warmup_s=0.3, window_s=2), 1),
    Effort.PROOF: (Load(JUDGED, warmup_s=1, window_s=5), 20),
}
_INSTALLED = {"nginx-bodyless": "nginx", "envoy": "envoy", "haproxy": "haproxy", "nginx": "nginx"}


def measure_peers(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    load, count = _LOADS[chosen.effort]
    is_quick = chosen.effort is Effort.QUICK
    load = replace(load, window_s=chosen.window or load.window_s, proxy_core=proxy_core, load_core=load_core)
    rates: Sequence[float] = chosen.rate or ((JUDGED,) if is_quick else RATES)
    wanted = chosen.proxy or (("nginx", "shadowproxy") if is_quick else None)
    scenarios = [each for each in SCENARIOS if each.name in chosen.scenario]
    turns = _turns(scenarios, wanted)
    rounds = _measure(load, chosen.rounds or count, turns, rates, flat_out=not is_quick)
    again = chosen.again if chosen.again is not None else (_TIMES_AGAIN if chosen.effort is Effort.POINT else 0)
    if again:
        judged_alone = [(scenario, proxy) for scenario, proxy in turns if proxy in AGAIN[scenario.name]]
        judged_rates = [rate for rate in rates if rate in (QUIET, JUDGED)] or list(rates)
        rounds += _measure(load, again, judged_alone, judged_rates, flat_out=False)
    titles = {each.name: each.title for each in scenarios}
    judged = JUDGED if JUDGED in rates else rates[-1]
    budgets = json.loads((_HERE / "budgets.json").read_text(encoding="utf-8"))
    tables = [cpu_table(rounds, titles, rates, judged, budgets), latency_table(rounds, titles, rates)]
    absent = [name for name, program in _INSTALLED.items() if find(program) is None]
    return Finding(
        tables=tables if is_quick else [*tables, throughput_table(rounds, titles)],
        data={"load": asdict(load), "rounds": [[asdict(s) for s in each] for each in rounds]},
        ratios=_ratios(rounds, titles, judged),
        headline=_headline(rounds, judged, budgets),
        warnings=[*warnings(rounds), *(f"{name} is not installed" for name in absent), *_latency_goals(rounds)],
        load=(
            f"{', '.join(f'{rate:,g}' for rate in rates)} requests/s over {load.connections} connections, "
            f"{len(rounds)} interleaved rounds of {load.window_s:g} s"
            f"{f', {again} of them of what budgets are held at' if again else ''}; median (smallest–largest)"
        ),
    )


def _ratios(rounds: Sequence[Round], titles: Sequence[str] | dict[str, str], judged: float) -> dict[str, float]:
    return {
        f"{name} {role}{'' if peer == 'nginx' else f' to {peer}'}": found.middle
        for name in titles
        for role in ("worker", "recorder")
        for peer in ("nginx", "envoy")
        if (found := ratio(rounds, name, role, judged, peer)) is not None
        and not (name == "pass" and role == "recorder")
    }


def _headline(rounds: Sequence[Round], judged: float, budgets: Budgets) -> list[Headline]:
    titles = {"pass": "passed through", "mirror": "mirrored and recorded"}
    names = {"nginx": "nginx", "envoy": "Envoy"}
    found = [
        Headline(
            f"worker's CPU, {titles[scenario]}, {judged:,g}/s",
            f"{beside.middle:.2f} × {names[peer]}",
            f"≤ {limit}" if (limit := budgets[scenario]["worker"].get(peer)) else "",
        )
        for scenario in titles
        for peer in (names if scenario == "mirror" else ("nginx",))
        if (beside := ratio(rounds, scenario, "worker", judged, peer)) is not None
    ]
    for name, peers in (("p50", ("envoy",)), ("p99", ("nginx", "envoy"))):
        ours = added_ms(rounds, "mirror", "shadowproxy", QUIET, name)
        theirs = [each.middle for peer in peers if (each := added_ms(rounds, "mirror", peer, QUIET, name)) is not None]
        if ours is not None and theirs:
            found.append(
                Headline(
                    f"added {name}, mirrored, {QUIET:,g}/s",
                    f"{ours.middle:.2f} ms",
                    f"≤ {min(theirs):.2f} ms, a peer's",
                )
            )
    return found


def _latency_goals(rounds: Sequence[Round]) -> list[str]:
    """Added p50 at most Envoy's, added p99 at most the better peer's; a p99 is missed only where the best round is."""
    missed = []
    for name, peers in (("p50", ("envoy",)), ("p99", ("nginx", "envoy"))):
        ours = added_ms(rounds, "mirror", "shadowproxy", QUIET, name)
        theirs = [found for peer in peers if (found := added_ms(rounds, "mirror", peer, QUIET, name)) is not None]
        if ours is None or not theirs:
            continue
        limit = min(found.middle for found in theirs)
        if (ours.middle if name == "p50" else ours.low) > limit:
            missed.append(f"goal missed: added {name} at {QUIET:,g}/s is {ours} ms, the peer's {limit:.2f} ms")
    return missed


def _turns(scenarios: Sequence[Scenario], wanted: Sequence[str] | None) -> list[tuple[Scenario, str]]:
    return [
        (scenario, proxy)
        for scenario in scenarios
        for proxy in scenario.proxies
        if (wanted is None or proxy in wanted)
        and find(_INSTALLED.get(proxy, sys.executable)) is not None
        and (proxy != "shadowproxy-interpreted" or not builds.why_not())  # else "shadowproxy" is it
    ]


def _measure(
    load: Load, count: int, turns: Sequence[tuple[Scenario, str]], rates: Sequence[float], *, flat_out: bool
) -> list[list[Sample]]:
    program = find("nginx") or ""
    rounds: list[list[Sample]] = []
    for number in range(count):
        rounds.append([])
        for scenario, proxy in turns if number % 2 == 0 else reversed(turns):
            print(f"round {number + 1} of {count}: {scenario.name}, {proxy}", file=sys.stderr)
            mine = [rate for rate in rates if scenario.name != "differ" or rate == JUDGED] or list(rates)
            rounds[-1] += measure_each(scenario, proxy, [replace(load, rate_per_s=rate) for rate in mine], program)
            if flat_out and scenario.name != "differ":
                rounds[-1] += measure_each(scenario, proxy, [replace(load, rate_per_s=None)], program)
    return rounds


def _options(parser: argparse.ArgumentParser) -> None:
    names = [scenario.name for scenario in SCENARIOS]
    proxies = list(dict.fromkeys(proxy for scenario in SCENARIOS for proxy in scenario.proxies))
    parser.add_argument("--rate", type=float, nargs="+", help="requests per second (1000 4000 8000; quick: 4000)")
    parser.add_argument("--window", type=float, help="seconds measured each time (2; quick: 1.5; proof: 5)")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (1; quick: 1; proof: 20)")
    parser.add_argument("--again", type=int, help="more rounds of what budgets are held at (2; quick, proof: 0)")
    parser.add_argument("--scenario", choices=names, nargs="+", default=names)
    parser.add_argument("--proxy", choices=proxies, nargs="+", help="default: all that are installed")


EXPERIMENT = Experiment("peers", __doc__, measure_peers, needs=("nginx",), peers=("envoy", "haproxy"), options=_options)

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
