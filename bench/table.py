"""Rounds of samples → medians and ratios → Markdown.

A ratio is taken within a round, where both sides met the same machine, and its median over the rounds is printed with
the smallest and the largest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measure import Sample

Round = Sequence[Sample]
Budgets = Mapping[str, Mapping[str, float]]

_ROLES = ("nginx", "nginx-bodyless", "worker", "recorder")
_BODYLESS = "nginx `mirror`, candidate answers without a body"
_PEER = {False: "nginx `proxy_pass`", True: "nginx `mirror`"}
_ENOUGH = 0.99  # share of copies and pairs below which a proxy has saved itself work
_QUIET = 0.05  # cores that others may use before figures are suspect


@dataclass(frozen=True, slots=True)
class Spread:
    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        digits = 1 if self.high >= 10 else 2
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are text."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def spread(values: Iterable[float]) -> Spread | None:
    """Median, smallest and largest; None of nothing."""
    known = list(values)
    return Spread(median(known), min(known), max(known)) if known else None


def cpu_us(rounds: Iterable[Round], scenario: str, role: str) -> Spread | None:
    return spread(used for each in rounds if (used := _used(each, scenario, role)) is not None)


def ratio(rounds: Iterable[Round], scenario: str, role: str) -> Spread | None:
    """CPU relative to nginx in the same scenario and round."""
    pairs = ((_used(each, scenario, role), _used(each, scenario, "nginx")) for each in rounds)
    return spread(used / peer for used, peer in pairs if used is not None and peer)


def cpu_table(rounds: Sequence[Round], titles: Mapping[str, str], budgets: Budgets) -> str:
    lines = ["| request | process | CPU, µs a request | × nginx | budget |", "|---|---|---|---|---|"]
    for scenario, title in titles.items():
        for role in _ROLES:
            used = cpu_us(rounds, scenario, role)
            if used is None or (role == "recorder" and not _mirrors(rounds, scenario)):
                continue
            beside = ratio(rounds, scenario, role) if role != "nginx" else None
            budget = budgets.get(scenario, {}).get(role)
            names = {"nginx": _PEER[_mirrors(rounds, scenario)], "nginx-bodyless": _BODYLESS}
            name = names.get(role, f"shadowproxy {role}")
            lines.append(f"| {title} | {name} | {used} | {beside or ''} | {f'≤ {budget}' if budget else ''} |")
    return "\n".join(lines)


def latency_table(rounds: Sequence[Round], titles: Mapping[str, str]) -> str:
    lines = ["| request | through | p50, ms | p99, ms | copies sent | pairs on disk |", "|---|---|---|---|---|---|"]
    for scenario, title in titles.items():
        for proxy in dict.fromkeys(sample.proxy for each in rounds for sample in each):
            mine = [
                sample for each in rounds for sample in each if (sample.scenario, sample.proxy) == (scenario, proxy)
            ]
            if mine:
                quantiles = [spread(_known(sample.latency_ms[name] for sample in mine)) for name in ("p50", "p99")]
                shares = [
                    _known(getattr(sample, name) for sample in mine) for name in ("copied_share", "recorded_share")
                ]
                cells = [*(str(each) for each in quantiles), *(f"{min(each):.2%}" if each else "" for each in shares)]
                lines.append(f"| {title} | {proxy} | {' | '.join(cells)} |")
    return "\n".join(lines)


def warnings(rounds: Sequence[Round]) -> list[str]:
    """Why the figures may not mean what they say: one sentence each."""
    samples = [sample for each in rounds for sample in each]
    found = []
    for sample in samples:
        where = f"{sample.proxy}, {sample.scenario}"
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


def _mirrors(rounds: Sequence[Round], scenario: str) -> bool:
    return any(sample.copied_share is not None for each in rounds for sample in each if sample.scenario == scenario)


def _used(samples: Round, scenario: str, role: str) -> float | None:
    return next((s.cpu_us[role] for s in samples if s.scenario == scenario and role in s.cpu_us), None)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
