"""CPU per request of shadowproxy beside nginx, at one offered rate, in one run: `python -m bench.peers` (`--quick`).

The proxy has one core, load and models another. Each round measures every proxy in every scenario once, in turns
that reverse from round to round, so that drift of the machine falls on all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.failure import MeasurementError
from bench.machine import describe, lines
from bench.measure import Load, Sample, measure
from bench.nginx import find_nginx
from bench.results import keep
from bench.scenarios import SCENARIOS
from bench.table import cpu_table, latency_table, warnings

_HERE = Path(__file__).parent
DOCUMENT = _HERE.parent / "docs" / "performance.md"
_BEGIN, _END = "<!-- peers: begin -->\n", "<!-- peers: end -->"
_FULL = (Load(rate_per_s=2000, warmup_s=2, window_s=10), 11)
_QUICK = (Load(rate_per_s=2000, warmup_s=0.5, window_s=3), 3)


def main(words: Sequence[str] | None = None) -> int:
    """0 when it measured, 2 when it cannot on this machine, 4 when something did not start or answer."""
    chosen = _parse(words)
    program = find_nginx()
    if program is None:
        return _refuse(
            "nginx is not installed: it is the peer, and it plays the models (Debian: apt-get install nginx-light)"
        )
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return _refuse(f"two cores are needed, one for the proxy and one for the load; this process may use {cores}")
    load, count = _QUICK if chosen.quick else _FULL
    load = replace(load, rate_per_s=chosen.rate or load.rate_per_s, window_s=chosen.window or load.window_s)
    load = replace(load, proxy_core=cores[0], load_core=cores[1])
    try:
        rounds = _measure(load, chosen.rounds or count, chosen.scenario, chosen.proxy, program)
    except MeasurementError as error:
        print(error, file=sys.stderr)
        return 4
    facts = {**describe(program), "command": shlex.join(["python", "-m", "bench.peers", *(words or sys.argv[1:])])}
    keep("peers", {**facts, "load": asdict(load), "rounds": [[asdict(s) for s in each] for each in rounds]})
    text = _text(facts, load, rounds, chosen.scenario)
    print(text)
    if chosen.docs:
        write_into(DOCUMENT, text)
    return 0


def write_into(document: Path, text: str) -> None:
    """Replaces what stands between the document's two marks."""
    head, _, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
    tail = rest.partition(_END)[2]
    document.write_text(f"{head}{_BEGIN}{text}\n{_END}{tail}", encoding="utf-8")


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    proxies = list(dict.fromkeys(proxy for scenario in SCENARIOS for proxy in scenario.proxies))
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under three minutes")
    parser.add_argument("--rate", type=float, help="requests per second (2000)")
    parser.add_argument("--window", type=float, help="seconds measured each time (10; quick: 3)")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (11; quick: 3)")
    parser.add_argument("--scenario", choices=names, nargs="+", default=names)
    parser.add_argument("--proxy", choices=proxies, nargs="+", default=proxies)
    parser.add_argument("--docs", action="store_true", help="put the result into docs/performance.md")
    return parser.parse_args(words)


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 2


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


def _text(facts: dict[str, str], load: Load, rounds: list[list[Sample]], scenarios: list[str]) -> str:
    titles = {each.name: each.title for each in SCENARIOS if each.name in scenarios}
    budgets = json.loads((_HERE / "budgets.json").read_text(encoding="utf-8"))
    terms = (
        f"{load.rate_per_s:g} requests/s over {load.connections} connections, {len(rounds)} interleaved rounds of "
        f"{load.window_s:g} s; median (smallest–largest)"
    )
    parts = [
        lines({**facts, "load": terms}),
        cpu_table(rounds, titles, budgets),
        latency_table(rounds, titles),
        *(f"Warning: {sentence}" for sentence in warnings(rounds)),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
