"""Rows → the report's record: one candidate at a time, from tallies and the few queries that no tally can answer."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb

from shadowproxy.report import (
    against,
    closing,
    counting,
    curves,
    examples,
    facets,
    figures,
    gates,
    hints,
    judged,
    labels,
    latencies,
    ledger,
    query,
    record,
    ruling,
    scope,
    sentences,
    spread,
)
from shadowproxy.report.counting import ROUTE, Counted
from shadowproxy.report.example import Example
from shadowproxy.report.figures import Measured
from shadowproxy.report.gates import Given
from shadowproxy.report.labels import Labelled
from shadowproxy.report.latencies import Latencies
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.query import Cell, Span
from shadowproxy.report.record import Candidate, Confusion, Field, Flow, Moment, Report, Segment, Sources, Window
from shadowproxy.report.scope import Scope, Trial
from shadowproxy.report.screen import worded
from shadowproxy.report.source import DEFAULT_PATH, Source
from shadowproxy.report.views import Loaded
from shadowproxy.report.words import moment, plain
from shadowproxy.settings.snapshot import Snapshot, Statistics
from shadowproxy.stats import fields
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.gate import Gate, Part
from shadowproxy.stats.slices import Finding
from shadowproxy.stats.verdict import Verdict, overall

FORMAT_VERSION = 1
MOST_FIELDS = 200
MOST_FLOWS = 50
_NO_SPAN = Span(0, 0, 0, None, None, None, None, None, None, None, None, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a report is asked for."""

    scope: Scope = field(default_factory=Scope)
    snapshot: Snapshot | None = None  # of `-c FILE`
    labels: Path | None = None
    labels_on: str = "key"
    examples: bool = True
    drawn: bool = True  # with what formats draw: curves, the course over time, classes against classes
    bodies: bool = False  # with pairs to look at: costs a second reading of the log
    gates: tuple[str, ...] = ()  # laid over those of the configuration
    expect: str | None = None
    final: bool = False  # one look at a closed log

    @property
    def terms(self) -> Terms:
        statistics = self.snapshot.statistics if self.snapshot else Statistics()
        return Terms(
            confidence=statistics.confidence,
            coverage=statistics.coverage,
            least_pairs=statistics.at_least.pairs,
            least_s=statistics.at_least.time,
            bucket_s=statistics.bucket,
        )

    @property
    def bucket_s(self) -> float:
        return self.terms.bucket_s

    @property
    def timeouts_s(self) -> dict[str, float | None]:
        return {c.name: c.timeout for c in self.snapshot.candidates} if self.snapshot else {}


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything that was asked of the log, by (candidate, trial)."""

    counted: Mapping[Cell, Counted]
    spans: Mapping[Cell, Span]
    changed_rules: set[Cell]
    latencies: Mapping[Cell, Latencies]
    streams: Mapping[Cell, Mapping[str, tuple[Any, ...]]]
    versus: Mapping[Cell, Mapping[str, Evidence]]
    outcomes: Mapping[Cell, dict[str, int]]
    statuses: Mapping[Cell, dict[str, int]]
    reasons: Mapping[Cell, dict[str, int]]
    protocols: Mapping[Cell, dict[str, int]]
    fields: Mapping[Cell, list[tuple[Any, ...]]]
    flows: Mapping[Cell, list[tuple[Any, ...]]]
    failures: Mapping[Cell, list[tuple[Any, ...]]]
    ledgers: Mapping[tuple[str | None, str | None], Ledger]
    labelled: Mapping[Cell, Labelled]
    facts: hints.Facts
    timelines: Mapping[Cell, list[Moment]]
    confusions: Mapping[Cell, Confusion]
    spreads: Mapping[Cell, record.Spread]
    examples: Mapping[Cell, list[Example]]
    is_written: bool  # by a recorder, now


def report(con: duckdb.DuckDBPyConnection, source: Source, loaded: Loaded, wishes: Wishes) -> Report:
    """Raises ScopeError for a trial or candidate that is not there, LabelsError for labels that are none, ValueError
    for a gate that is none."""
    # Figures need it, and the database does not: it comes while the log is read (0.3 s).
    threading.Thread(target=import_module, args=("scipy.special",), name="scipy.special", daemon=True).start()
    trials = scope.choose(con, wishes.scope)
    names = {trial.candidate for trial in trials}
    rulebook = {name: gates.given(name, wishes.snapshot, wishes.gates, wishes.expect) for name in names}
    is_written = closing.is_written(source)
    heard = closing.close(con, wishes.bucket_s, wishes.timeouts_s) if is_written else {}
    asked = [gate for book in rulebook.values() for gate in book.gates or ()]
    rows = _ask(con, source, wishes, trials, asked, is_written=is_written)
    candidates = {
        trial.name: _candidate(con, trial, rows, wishes, source, rulebook[trial.candidate], heard) for trial in trials
    }
    seen = [rows.spans[cell] for trial in trials if (cell := (trial.candidate, trial.trial)) in rows.spans]
    starts = [span.from_us for span in seen if span.from_us is not None]
    ends = [span.to_us for span in seen if span.to_us is not None]
    verdict = overall(Verdict(c.verdict) for c in candidates.values() if c.verdict is not None)
    return Report(
        v=FORMAT_VERSION,
        headline=sentences.overall(list(candidates.values())),
        verdict=None if verdict is None else str(verdict),
        window=Window(from_=moment(min(starts, default=None)), to=moment(max(ends, default=None))),
        sources=Sources(
            files=loaded.files, pairs=loaded.pairs, torn_lines=loaded.torn_lines, bad_lines=loaded.bad_lines
        ),
        terms=record.Terms(
            confidence=wishes.terms.confidence,
            coverage=wishes.terms.coverage,
            at_least_pairs=wishes.terms.least_pairs,
            at_least_s=wishes.terms.least_s,
            bucket_s=wishes.terms.bucket_s,
            final=wishes.final,
        ),
        hints=[hint for candidate in candidates.values() for hint in candidate.hints] + sentences.of_sources(loaded),
        candidates={name: worded(candidate) for name, candidate in candidates.items()},
    )


def _ask(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    wishes: Wishes,
    trials: Sequence[Trial],
    asked: Sequence[Gate],
    *,
    is_written: bool,
) -> Rows:
    judged.prepare(con, wishes.bucket_s)
    facets.prepare(con)
    labelled = labels.join(con, wishes.labels, wishes.labels_on) if wishes.labels else {}
    counted = counting.count(con, wishes.bucket_s, asked, has_labels=bool(wishes.labels))
    timed = _latencies(con, wishes, trials, counted)
    return Rows(
        counted=counted,
        spans=query.spans(con),
        changed_rules=query.changed_rules(con),
        latencies=timed,
        streams=query.streams(con) if any(found.whole.total("first_token_timed") for found in counted.values()) else {},
        versus=against.versus(con, counted, wishes.bucket_s),
        outcomes=query.histogram(con, "shadow_outcome"),
        statuses=query.histogram(con, "shadow_status"),
        reasons=query.histogram(con, "incomparable_reason"),
        protocols=query.histogram(con, "nullif(protocol, '')"),
        fields=query.fields(con),
        flows=query.flows(con),
        failures=query.failures(con),
        ledgers=ledger.sums(con),
        labelled=labelled,
        facts=hints.read(con, source, wishes.snapshot),
        timelines=curves.timelines(con, wishes.bucket_s, {cell: one.medians for cell, one in timed.items()})
        if wishes.drawn
        else {},
        confusions=curves.confusions(con) if wishes.drawn else {},
        spreads=spread.spreads(con),
        examples=examples.examples(con, source) if wishes.bodies and wishes.examples else {},
        is_written=is_written,
    )


def _candidate(
    con: duckdb.DuckDBPyConnection,
    trial: Trial,
    rows: Rows,
    wishes: Wishes,
    source: Source,
    given: Given,
    heard: Mapping[Cell, int],
) -> Candidate:
    cell = (trial.candidate, trial.trial)
    counted = rows.counted.get(cell) or counting.nothing()
    span = rows.spans.get(cell, _NO_SPAN)
    sums = rows.ledgers.get(cell)
    coverage = figures.coverage(sums, is_written=rows.is_written)
    terms = wishes.terms
    labelled = rows.labelled.get(cell)
    facts = ruling.facts_of(
        span,
        counted,
        coverage.estimate,
        twin_covers=trial.twin_covers,
        rules_changed=cell in rows.changed_rules,
        has_labels=counted.whole.total("labelled") > 0,
    )
    ruled = ruling.rule(given, counted, facts, terms, final=wishes.final)
    m = Measured(counted.whole, terms, wishes.final)
    production = span.production or "production"
    told = gates.Told(gates.Names(plain(production), plain(trial.name), trial.twin_covers), facts, terms, counted.whole)
    seconds = None if span.from_us is None or span.to_us is None else (span.to_us - span.from_us) / 1e6
    reference = "twin" if trial.twin_covers else "production"
    found, looked_at = ruling.findings(counted, terms)
    fields = rows.fields.get(cell, [])
    has_traffic = span.pairs > 0
    verdict = ruled.judgement.verdict if has_traffic else None
    draft = Candidate(
        name=trial.name,
        trial=trial.trial,
        production=production,
        origin=span.origin,
        headline="",
        verdict=None if verdict is None else str(verdict),
        reason=str(ruled.judgement.reason) if verdict is not None and ruled.judgement.reason is not None else None,
        needed=gates.needed(ruled.judgement.needed) if verdict is not None else None,
        gated=given.gated,
        expect=ruled.expect,
        banners=sentences.banners(trial.candidate, span.to_us, heard.get(cell), wishes.snapshot),
        window=Window(from_=moment(span.from_us), to=moment(span.to_us)),
        seconds=seconds,
        pairs=round(counted.whole.total("pairs")),
        warmup_pairs=span.warmup,
        open_pairs=span.open,
        twin_pairs=span.twin_pairs,
        coverage=coverage,
        ledger=sums,
        load=figures.load(sums, seconds),
        outcomes=rows.outcomes.get(cell, {}),
        statuses=rows.statuses.get(cell, {}),
        errors=figures.errors(m, reference),
        nonfinite=figures.nonfinite(m),
        disagreement=m.disagreement(),
        item_disagreement=m.item_disagreement(),
        difference=m.changed(),
        incomparable=figures.incomparable(m, rows.reasons.get(cell, {})),
        noise=m.noise(),
        excess_disagreement=m.excess_disagreement(),
        latency_ms=figures.latency(m, reference, rows.latencies.get(cell)),
        stream=figures.stream(m, rows.streams.get(cell)),
        fields=_fields(fields, terms.alpha, wishes.examples),
        fields_total=len(fields),
        classes=[Flow(old=old, new=new, count=n) for old, new, n in rows.flows.get(cell, [])[:MOST_FLOWS]],
        confusion=rows.confusions.get(cell),
        spread=rows.spreads.get(cell),
        metrics=figures.metrics(counted, terms, wishes.final),
        slices=_slices(counted, terms, found),
        routes={
            value: figures.segment(evidence, terms, found.get((name, value), []))
            for (name, value), evidence in sorted(counted.parts.items())
            if name == ROUTE
        },
        slices_looked_at=looked_at,
        timeline=rows.timelines.get(cell, []),
        versions={
            "production": span.production_versions or [],
            "shadow": span.shadow_versions or [],
            "twin": span.twin_versions or [],
        },
        rules=span.rules or [],
        protocols=rows.protocols.get(cell, {}),
        decision_is_known=span.unpredicted == 0,
        self_check=told.self_check(ruled.self_check) if ruled.self_check is not None else None,
        labels=labelled.labels if labelled else None,
        accuracy=figures.accuracy(m, labelled.accuracy) if labelled and labelled.accuracy else None,
        losses=labelled.losses if labelled else None,
        versus=figures.versus(rows.versus.get(cell, {}), terms, wishes.final),
        gates=told.gates(ruled.judgement),
        hints=hints.of_candidate(trial.candidate, cell, rows.facts, sums),
        not_known=[],
        next=[],
        examples=rows.examples.get(cell, []),
    )
    return sentences.spoken(
        draft,
        rows.failures.get(cell, []),
        wishes.scope,
        _show(source) if wishes.examples else None,
        rules_changed=facts.rules_changed,
    )


def _latencies(
    con: duckdb.DuckDBPyConnection, wishes: Wishes, trials: Sequence[Trial], counted: Mapping[Cell, Counted]
) -> dict[Cell, Latencies]:
    stretches = curves.stretches(con, wishes.bucket_s) if wishes.drawn else {}
    found = {}
    for trial in trials:
        cell = (trial.candidate, trial.trial)
        one = cell in counted and latencies.latencies(
            con,
            cell,
            counted[cell].whole,
            wishes.terms,
            twin_covers=trial.twin_covers,
            stretch_us=stretches.get(cell),
            final=wishes.final,
        )
        if one:
            found[cell] = one
    return found


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


def _slices(counted: Counted, terms: Terms, found: Mapping[Part, list[Finding]]) -> dict[str, dict[str, Segment]]:
    slices: dict[str, dict[str, Segment]] = {}
    parts = sorted(counted.parts.items(), key=lambda part: (part[0][0], -part[1].total("pairs"), part[0][1]))
    for (name, value), evidence in parts:
        if name != ROUTE:
            slices.setdefault(name, {})[value] = figures.segment(evidence, terms, found.get((name, value), []))
    return slices
