"""One candidate's evidence before the judge: facts, gates, self-check, flags. Pure but for what it is handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shadowproxy.report.counting import ROUTE, Counted
from shadowproxy.report.gates import Given, settled
from shadowproxy.report.query import Span
from shadowproxy.stats import judge, slices
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Facts, Terms
from shadowproxy.stats.gate import Part
from shadowproxy.stats.slices import Finding
from shadowproxy.stats.verdict import Judgement

LIVE = "live"


@dataclass(frozen=True, slots=True)
class Ruling:
    judgement: Judgement
    self_check: Judgement | None  # None without a twin, or without gates
    facts: Facts
    expect: str | None  # None where gates are given


def rule(given: Given, counted: Counted, facts: Facts, terms: Terms, *, final: bool) -> Ruling:
    """Raises evidence.NotCounted for a gate whose columns were not counted."""
    gates = settled(given, counted.whole, has_twin=facts.has_twin)
    gated = {gate.part[0] for gate in gates if gate.part is not None}
    evidence: dict[Part | None, Evidence] = {None: counted.whole}
    evidence |= {part: found for part, found in counted.parts.items() if part[0] in gated}
    checked = judge.self_check(gates, counted.twin, terms, final=final) if gates and counted.twin is not None else None
    return Ruling(
        judge.judge(gates, evidence, facts, terms, self_check=checked, final=final),
        checked,
        facts,
        given.expect if given.gates is None and given.gated else None,
    )


def facts_of(
    span: Span,
    counted: Counted,
    coverage: float | None,
    *,
    twin_covers: bool,
    rules_changed: bool,
    is_mixed: bool,
    is_twin_unlike: bool,
    has_labels: bool,
) -> Facts:
    whole = counted.whole
    versions = (span.production_versions or [], span.shadow_versions or [], span.twin_versions or [])
    of_production, of_twin = set(versions[0]), set(versions[2])
    return Facts(
        coverage=coverage,
        has_twin=span.twin_pairs > 0,
        twin_covers=twin_covers,
        twin_version_differs=is_twin_unlike or bool(of_production and of_twin and of_production != of_twin),
        decides=whole.total("decided") > 0 or whole.total("comparable") == 0,
        has_labels=has_labels,
        is_live=span.origin in (LIVE, None),
        is_warming_up=span.warmup > 0,
        mixed_versions=is_mixed or any(len(seen) > 1 for seen in versions),
        rules_changed=rules_changed,
    )


def findings(counted: Counted, terms: Terms) -> tuple[Mapping[Part, list[Finding]], int]:
    """What was looked at in each slice and route, and how many of them in all. A single route is no slice."""
    routes = sum(name == ROUTE for name, _ in counted.parts)
    looked_at = {part: found for part, found in counted.parts.items() if part[0] != ROUTE or routes > 1}
    by_part: dict[Part, list[Finding]] = {}
    found = slices.findings(looked_at, terms)
    for one in found:
        by_part.setdefault(one.part, []).append(one)
    return by_part, len(found)
