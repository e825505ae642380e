"""A candidate's case → its record: every figure in its place first, then what the figures say in words."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shadowproxy.report import figures, fingerprints, gates, hints, ruling, sentences
from shadowproxy.report.case import Case
from shadowproxy.report.counting import ROUTE, Counted
from shadowproxy.report.query import Cell
from shadowproxy.report.record import Candidate, Field, Flow, Segment, Window
from shadowproxy.report.source import DEFAULT_PATH, Source
from shadowproxy.report.words import moment, plain
from shadowproxy.stats import fields
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.gate import Part
from shadowproxy.stats.slices import Finding

MOST_FIELDS = 200
MOST_FLOWS = 50


def candidate(case: Case, source: Source, heard: Mapping[Cell, int]) -> Candidate:
    """`heard`: when each trial of a log that is being written was last heard of, in µs since 1970."""
    return sentences.spoken(
        _draft(case, heard.get(case.cell)),
        case.rows.failures.get(case.cell, []),
        case.wishes.scope,
        _show(source) if case.wishes.examples else None,
        rules_changed=case.ruled.facts.rules_changed,
    )


def _draft(case: Case, heard_us: int | None) -> Candidate:
    """The record without its words: a field a line."""
    cell, rows, span, wishes = case.cell, case.rows, case.span, case.wishes
    m, judgement = case.measured, case.ruled.judgement
    is_judged = case.verdict is not None
    found, looked_at = ruling.findings(case.counted, wishes.terms)
    differing = rows.fields.get(cell, [])
    slices, routes = _segments(case.counted, wishes.terms, found)
    labelled = rows.labelled.get(cell)
    return Candidate(
        name=case.trial.name,
        trial=case.trial.trial,
        production=case.production,
        origin=span.origin,
        headline="",
        verdict=None if case.verdict is None else str(case.verdict),
        reason=str(judgement.reason) if is_judged and judgement.reason is not None else None,
        needed=gates.needed(judgement.needed) if is_judged else None,
        gated=case.given.gated,
        expect=case.ruled.expect,
        banners=sentences.banners(case.trial.candidate, span.to_us, heard_us, wishes.snapshot),
        window=Window(from_=moment(span.from_us), to=moment(span.to_us)),
        seconds=case.seconds,
        pairs=round(case.counted.whole.total("pairs")),
        warmup_pairs=span.warmup,
        open_pairs=span.open,
        twin_pairs=span.twin_pairs,
        coverage=case.coverage,
        ledger=case.ledger,
        load=figures.load(case.ledger, case.seconds),
        outcomes=rows.outcomes.get(cell, {}),
        statuses=rows.statuses.get(cell, {}),
        errors=figures.errors(m, case.reference),
        nonfinite=figures.nonfinite(m),
        disagreement=m.disagreement(),
        item_disagreement=m.item_disagreement(),
        difference=m.changed(),
        incomparable=figures.incomparable(m, rows.reasons.get(cell, {})),
        noise=m.noise(),
        excess_disagreement=m.excess_disagreement(),
        latency_ms=figures.latency(m, case.reference, rows.latencies.get(cell)),
        stream=figures.stream(m, rows.streams.get(cell)),
        fields=_fields(differing, wishes.terms.alpha, wishes.examples),
        fields_total=len(differing),
        classes=[Flow(old=old, new=new, count=n) for old, new, n in rows.flows.get(cell, [])[:MOST_FLOWS]],
        confusion=rows.confusions.get(cell),
        spread=rows.spreads.get(cell),
        metrics=figures.metrics(case.counted, wishes.terms, wishes.final),
        slices=slices,
        routes=routes,
        slices_looked_at=looked_at,
        timeline=rows.timelines.get(cell, []),
        versions=_versions(case),
        fingerprints=fingerprints.by_role(rows.fingerprints.get(cell, [])),
        mixed=fingerprints.mixed(rows.fingerprints.get(cell, [])),
        rules=span.rules or [],
        protocols=rows.protocols.get(cell, {}),
        decision_is_known=span.unpredicted == 0,
        self_check=case.told.self_check(case.ruled.self_check) if case.ruled.self_check is not None else None,
        labels=labelled.labels if labelled else None,
        accuracy=figures.accuracy(m, labelled.accuracy) if labelled and labelled.accuracy else None,
        losses=labelled.losses if labelled else None,
        versus=figures.versus(rows.versus.get(cell, {}), wishes.terms, wishes.final),
        gates=case.told.gates(judgement),
        hints=hints.of_candidate(case.trial.candidate, cell, rows.facts, case.ledger),
        not_known=[],
        next=[],
        examples=rows.examples.get(cell, []),
    )


def _versions(case: Case) -> dict[str, list[str]]:
    """By role, what each side said of itself."""
    return {
        "production": case.span.production_versions or [],
        "shadow": case.span.shadow_versions or [],
        "twin": case.span.twin_versions or [],
    }


def _show(source: Source) -> Callable[[str], str]:
    """Gives the command that shows a pair of this log. Ids come from the log, so they are quoted too."""
    paths = [path for path in source.paths if os.path.normpath(path) != os.path.normpath(DEFAULT_PATH)]
    return lambda pair_id: shlex.join(["shadowproxy", "show", plain(pair_id), *paths])


def _fields(rows: Sequence[tuple[Any, ...]], alpha: float, examples: bool) -> list[Field]:
    """Flagged by e-BH among all fields that were looked at, shown or not."""
    flags = fields.flags({row[:2]: (row[6], row[7]) for row in rows if row[4]}, alpha)
    return [
        Field(
            path=path,
            kind=kind,
            count=count,
            noise_count=noise_count if noise_pairs else None,
            e_value=flags[path, kind].e_value if noise_pairs else None,
            flagged=flags[path, kind].flagged if noise_pairs else None,
            examples=list(pair_ids) if examples else [],
        )
        for path, kind, count, noise_count, noise_pairs, pair_ids, *_ in rows[:MOST_FIELDS]
    ]


def _segments(
    counted: Counted, terms: Terms, found: Mapping[Part, list[Finding]]
) -> tuple[dict[str, dict[str, Segment]], dict[str, Segment]]:
    """Slices by name and value, the commonest value first; and routes by name."""
    slices: dict[str, dict[str, Segment]] = {}
    routes: dict[str, Segment] = {}
    for (name, value), evidence in sorted(counted.parts.items(), key=_by_size):
        of_name = routes if name == ROUTE else slices.setdefault(name, {})
        of_name[value] = figures.segment(evidence, terms, found.get((name, value), []))
    return slices, dict(sorted(routes.items()))


def _by_size(part: tuple[Part, Evidence]) -> tuple[str, float, str]:
    (name, value), evidence = part
    return name, -evidence.total("pairs"), value
