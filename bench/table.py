"""Rounds of samples → medians and ratios → Markdown.

A ratio is taken within a round, where both sides met the same machine, and its median over the rounds is printed with
the smallest and the largest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure import Sample

Round = Sequence["Sample"]
Budgets = Mapping[str, Mapping[str, Mapping[str, float]]]

NAMES = {
    "direct": "no proxy",
    "nginx": "nginx",
    "nginx-bodyless": "nginx, candidate answers without a body",
    "envoy": "Envoy",
    "haproxy": "HAProxy",
    "aiohttp": "aiohttp proxy",
    "worker": "shadowproxy worker",
    "recorder": "shadowproxy recorder",
    "shadowproxy": "shadowproxy",
    "interpreted-worker": "shadowproxy worker, not compiled",
    "interpreted-recorder": "shadowproxy recorder, not compiled",
    "shadowproxy-interpreted": "shadowproxy, not compiled",
}
_ROLES = (
    "nginx",
    "nginx-bodyless",
    "envoy",
    "haproxy",
    "aiohttp",
    "worker",
    "recorder",
    "interpreted-worker",
    "interpreted-recorder",
)
_ENOUGH = 0.99  # share of copies and pairs below which a proxy has saved itself work
_KEPT_UP = 0.98  # share of a rate below which it was not served
_QUIET = 0.05  # cores that others may use before figures are suspect


@dataclass(frozen=True, slots=True)
class Spread:
    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        digits = 1 if self.high >= 10 else 2
        if self.low == self.high:
            return f"{self.middle:.{digits}f}"
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are text."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def spread(values: Iterable[float]) -> Spread | None:
    """Median, smallest and largest; None of nothing."""
    known = list(values)
    return Spread(median(known), min(known), max(known)) if known else None


def cpu_us(rounds: Iterable[Round], scenario: str, role: str, rate: float | None) -> Spread | None:
    return spread(used for each in rounds if (used := _used(each, scenario, role, rate)) is not None)


def ratio(rounds: Iterable[Round], scenario: str, role: str, rate: float | None, to: str = "nginx") -> Spread | None:
    """CPU relative to a peer in the same scenario, round and rate."""
    pairs = ((_used(each, scenario, role, rate), _used(each, scenario, to, rate)) for each in rounds)
    return spread(used / peer for used, peer in pairs if used is not None and peer)


def cpu_table(
    rounds: Sequence[Round], titles: Mapping[str, str], rates: Sequence[float], judged: float, budgets: Budgets
) -> str:
    """µs a request at each rate; ratios and budgets at the `judged` one."""
    columns = ["request", "process", *(f"µs at {rate:,g}/s" for rate in rates)]
    columns += [f"× nginx at {judged:,g}/s", "budget", f"× Envoy at {judged:,g}/s", "budget"]
    rows = []
    for scenario, title in titles.items():
        for role in _ROLES:
            used = [cpu_us(rounds, scenario, role, rate) for rate in rates]
            if any(used) and not (role == "recorder" and not _mirrors(rounds, scenario)):
                rows.append([title, NAMES[role], *(_cell(each) for each in used)])
                for peer in ("nginx", "envoy"):
                    beside = None if role == peer else ratio(rounds, scenario, role, judged, peer)
                    budget = budgets.get(scenario, {}).get(role, {}).get(peer)
                    rows[-1] += [_cell(beside), f"≤ {budget}" if budget else ""]
    return markdown(columns, rows)


def latency_table(rounds: Sequence[Round], titles: Mapping[str, str], rates: Sequence[float]) -> str:
    """p50 and p99 as a client sees them, with what the proxy adds to none at all in the same round."""
    columns = ["request", "through", *(f"{name} at {rate:,g}/s, ms" for rate in rates for name in ("p50", "p99"))]
    columns += ["copies sent", "pairs on disk"]
    rows = []
    for scenario, title in titles.items():
        for proxy in dict.fromkeys(sample.proxy for each in rounds for sample in each):
            every = (s for each in rounds for s in each if s.rate_per_s is not None and _keeps_up(s))
            mine = [s for s in every if (s.scenario, s.proxy) == (scenario, proxy)]
            if mine:
                cells = [latency(rounds, scenario, proxy, rate, name) for rate in rates for name in ("p50", "p99")]
                shares = [_known(getattr(s, name) for s in mine) for name in ("copied_share", "recorded_share")]
                rows.append([title, NAMES[proxy], *cells, *(f"{min(each):.2%}" if each else "" for each in shares)])
    return markdown(columns, rows)


def latency(rounds: Sequence[Round], scenario: str, proxy: str, rate: float, name: str) -> str:
    found = spread(_known(_latency(each, scenario, proxy, rate, name) for each in rounds))
    if found is None:
        return "–"
    added = added_ms(rounds, scenario, proxy, rate, name)
    return f"{found.middle:.2f}" + (f" ({added.middle:+.2f})" if added is not None and proxy != "direct" else "")


def added_ms(rounds: Sequence[Round], scenario: str, proxy: str, rate: float, name: str) -> Spread | None:
    """What a proxy adds to the same quantile without any, in the same round."""
    pairs = (
        (_latency(each, scenario, proxy, rate, name), _latency(each, "pass", "direct", rate, name)) for each in rounds
    )
    return spread(through - direct for through, direct in pairs if through is not None and direct is not None)


def throughput_table(rounds: Sequence[Round], titles: Mapping[str, str]) -> str:
    """Answers per second when every connection asks again at once; a proxy may then let copies go."""
    rows = []
    for scenario, title in titles.items():
        for proxy in dict.fromkeys(sample.proxy for each in rounds for sample in each):
            mine = [
                [s for s in each if (s.scenario, s.proxy, s.rate_per_s) == (scenario, proxy, None)] for each in rounds
            ]
            found = spread(s.answers_per_s for each in mine for s in each)
            if found is not None:
                peer = [_rate(each, scenario, "nginx") for each in rounds]
                beside = spread(s.answers_per_s / p for each, p in zip(mine, peer, strict=True) for s in each if p)
                shares = [s.copied_share for each in mine for s in each if s.copied_share is not None]
                copied = f"{median(shares):.0%}" if shares else ""
                relative = "" if proxy == "nginx" else _cell(beside)
                rows.append([title, NAMES[proxy], f"{found.middle:,.0f}", relative, copied])
    return markdown(["request", "through", "answers/s", "× nginx", "copies sent"], rows)


def warnings(rounds: Sequence[Round]) -> list[str]:
    """Why the figures may not mean what they say: one sentence each. At full speed copies may be let go."""
    samples = [sample for each in rounds for sample in each if sample.rate_per_s is not None]
    found = []
    for sample in samples:
        where = f"{NAMES[sample.proxy]}, {sample.scenario}, {sample.rate_per_s:,g}/s"
        if not _keeps_up(sample):
            found.append(f"{where}: only {sample.answers_per_s:,.0f} answers/s, left out")
            continue
        if sample.failed:
            found.append(f"{where}: {sample.failed} requests failed ({sample.outcome})")
        if sample.copied_share is not None and sample.copied_share < _ENOUGH:
            found.append(f"{where}: only {sample.copied_share:.1%} of the copies were sent")
        if sample.recorded_share is not None and sample.recorded_share < _ENOUGH:
            found.append(f"{where}: only {sample.recorded_share:.1%} of the pairs are on disk")
    foreign = median(sample.foreign_share for sample in samples) if samples else 0.0
    if foreign > _QUIET:
        found.append(f"other processes used {foreign:.2f} of the two cores (median): measure again on a quiet machine")
    return found


def _cell(found: Spread | None) -> str:
    return "" if found is None else str(found)


def _mirrors(rounds: Sequence[Round], scenario: str) -> bool:
    return any(sample.copied_share is not None for each in rounds for sample in each if sample.scenario == scenario)


def _keeps_up(sample: Sample) -> bool:
    return sample.rate_per_s is None or sample.answers_per_s >= _KEPT_UP * sample.rate_per_s


def _used(samples: Round, scenario: str, role: str, rate: float | None) -> float | None:
    chosen = (
        s for s in samples if (s.scenario, s.rate_per_s) == (scenario, rate) and role in s.cpu_us and _keeps_up(s)
    )
    return next((s.cpu_us[role] for s in chosen), None)


def _latency(samples: Round, scenario: str, proxy: str, rate: float, name: str) -> float | None:
    chosen = (s for s in samples if (s.scenario, s.proxy, s.rate_per_s) == (scenario, proxy, rate) and _keeps_up(s))
    return next((s.latency_ms[name] for s in chosen), None)


def _rate(samples: Round, scenario: str, proxy: str) -> float | None:
    chosen = (s for s in samples if (s.scenario, s.proxy, s.rate_per_s) == (scenario, proxy, None))
    return next((s.answers_per_s for s in chosen), None)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
