"""Rows → the report's record: one candidate at a time, from tallies and the few queries that no tally can answer."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from shadowproxy.report import curves, examples, figures, hints, labels, ledger, query, scope, sentences
from shadowproxy.report.example import Example
from shadowproxy.report.labels import Labelled
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.query import Cell, Span
from shadowproxy.report.record import (
    Candidate,
    Confusion,
    Field,
    Flow,
    Metric,
    Moment,
    Report,
    Segment,
    Sources,
    Terms,
    Window,
)
from shadowproxy.report.scope import Scope, Trial
from shadowproxy.report.screen import worded
from shadowproxy.report.source import DEFAULT_PATH, Source
from shadowproxy.report.views import Loaded
from shadowproxy.report.words import moment, plain
from shadowproxy.settings.snapshot import Snapshot, Statistics
from shadowproxy.stats.tally import Key, Tally, merge

FORMAT_VERSION = 1
MOST_FIELDS = 200
MOST_FLOWS = 50
DEFAULT_BUCKET_S = 30.0
_NO_SPAN = Span(0, 0, None, None, None, None, None, None, None, None, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a report is asked for."""

    scope: Scope = field(default_factory=Scope)
    snapshot: Snapshot | None = None  # of `-c FILE`
    labels: Path | None = None
    labels_on: str = "key"
    examples: bool = True
    bodies: bool = False  # with pairs to look at: costs a second reading of the log

    @property
    def bucket_s(self) -> float:
        return self.snapshot.statistics.bucket if self.snapshot else DEFAULT_BUCKET_S


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything that was asked of the log, by (candidate, trial)."""

    whole: Mapping[Cell, Tally]
    routes: Mapping[Cell, Mapping[str, Tally]]
    slices: Mapping[Cell, Mapping[tuple[str, str], Tally]]
    spans: Mapping[Cell, Span]
    quantiles: Mapping[Cell, tuple[Any, ...]]
    outcomes: Mapping[Cell, dict[str, int]]
    statuses: Mapping[Cell, dict[str, int]]
    reasons: Mapping[Cell, dict[str, int]]
    protocols: Mapping[Cell, dict[str, int]]
    metrics: Mapping[Cell, list[tuple[Any, ...]]]
    fields: Mapping[Cell, list[tuple[Any, ...]]]
    flows: Mapping[Cell, list[tuple[Any, ...]]]
    failures: Mapping[Cell, list[tuple[Any, ...]]]
    ledgers: Mapping[tuple[str | None, str | None], Ledger]
    labelled: Mapping[Cell, Labelled]
    facts: hints.Facts
    curves: Mapping[Cell, curves.Curves]
    timelines: Mapping[Cell, list[Moment]]
    confusions: Mapping[Cell, Confusion]
    examples: Mapping[Cell, list[Example]]


def report(con: duckdb.DuckDBPyConnection, source: Source, loaded: Loaded, wishes: Wishes) -> Report:
    """Raises ScopeError for a trial or candidate that is not there, LabelsError for labels that are none."""
    trials = scope.choose(con, wishes.scope)
    rows = _ask(con, source, wishes)
    candidates = {trial.name: _candidate(trial, rows, wishes, source) for trial in trials}
    seen = [rows.spans[cell] for trial in trials if (cell := (trial.candidate, trial.trial)) in rows.spans]
    starts = [span.from_us for span in seen if span.from_us is not None]
    ends = [span.to_us for span in seen if span.to_us is not None]
    return Report(
        v=FORMAT_VERSION,
        headline=sentences.overall(list(candidates.values())),
        verdict=None,
        window=Window(from_=moment(min(starts, default=None)), to=moment(max(ends, default=None))),
        sources=Sources(
            files=loaded.files, pairs=loaded.pairs, torn_lines=loaded.torn_lines, bad_lines=loaded.bad_lines
        ),
        terms=_terms(wishes),
        hints=[hint for candidate in candidates.values() for hint in candidate.hints] + sentences.of_sources(loaded),
        candidates={name: worded(candidate) for name, candidate in candidates.items()},
    )


def _terms(wishes: Wishes) -> Terms:
    statistics = wishes.snapshot.statistics if wishes.snapshot else Statistics()
    return Terms(
        confidence=statistics.confidence,
        coverage=statistics.coverage,
        at_least_pairs=statistics.at_least.pairs,
        at_least_s=statistics.at_least.time,
        bucket_s=statistics.bucket,
        final=False,
    )


def _ask(con: duckdb.DuckDBPyConnection, source: Source, wishes: Wishes) -> Rows:
    query.prepare(con)
    tallies = list(query.tallies(con, wishes.bucket_s))
    unsliced = [(key, tally) for key, tally in tallies if key.slice is None]
    sliced = [(key, tally) for key, tally in tallies if key.slice is not None]
    return Rows(
        whole=merge(unsliced, _cell),
        routes=_by_part(merge(unsliced, lambda key: (_cell(key), key.route))),
        slices=_by_part(merge(sliced, lambda key: (_cell(key), key.slice or ("", "")))),
        spans=query.spans(con),
        quantiles=query.quantiles(con),
        outcomes=query.histogram(con, "shadow_outcome"),
        statuses=query.histogram(con, "shadow_status"),
        reasons=query.histogram(con, "CASE WHEN NOT is_comparable THEN coalesce(reason, 'unknown') END"),
        protocols=query.histogram(con, "nullif(protocol, '')"),
        metrics=query.metrics(con),
        fields=query.fields(con),
        flows=query.flows(con),
        failures=query.failures(con),
        ledgers=ledger.sums(con),
        labelled=labels.join(con, wishes.labels, wishes.labels_on) if wishes.labels else {},
        facts=hints.read(con, source, wishes.snapshot),
        curves=curves.latencies(con),
        timelines=curves.timelines(con, wishes.bucket_s),
        confusions=curves.confusions(con),
        examples=examples.examples(con, source) if wishes.bodies and wishes.examples else {},
    )


def _candidate(trial: Trial, rows: Rows, wishes: Wishes, source: Source) -> Candidate:
    cell = (trial.candidate, trial.trial)
    tally = rows.whole.get(cell, Tally())
    span = rows.spans.get(cell, _NO_SPAN)
    sums = rows.ledgers.get(cell)
    reference = "twin" if trial.twin_covers else "production"
    seconds = None if span.from_us is None or span.to_us is None else (span.to_us - span.from_us) / 1e6
    labelled = rows.labelled.get(cell)
    found = rows.fields.get(cell, [])
    draft = Candidate(
        name=trial.name,
        trial=trial.trial,
        production=span.production or "production",
        origin=span.origin,
        headline="",
        verdict=None,
        window=Window(from_=moment(span.from_us), to=moment(span.to_us)),
        seconds=seconds,
        pairs=tally.pairs,
        warmup_pairs=span.warmup,
        twin_pairs=span.twin_pairs,
        coverage=figures.coverage(sums),
        ledger=sums,
        load=figures.load(sums, seconds),
        outcomes=rows.outcomes.get(cell, {}),
        statuses=rows.statuses.get(cell, {}),
        errors=figures.errors(tally, reference),
        nonfinite=figures.nonfinite(tally),
        disagreement=figures.disagreement(tally),
        item_disagreement=figures.item_disagreement(tally),
        difference=figures.difference(tally),
        incomparable=figures.incomparable(tally, rows.reasons.get(cell, {})),
        noise=figures.noise(tally),
        excess_disagreement=figures.excess_disagreement(tally),
        latency_ms=figures.latency(tally, reference, rows.quantiles.get(cell), rows.curves.get(cell, {})),
        stream=None,
        fields=[_field(row, wishes.examples) for row in found[:MOST_FIELDS]],
        fields_total=len(found),
        classes=[Flow(old=old, new=new, count=n) for old, new, n in rows.flows.get(cell, [])[:MOST_FLOWS]],
        confusion=rows.confusions.get(cell),
        metrics={name: Metric(mean=mean, n=n) for name, mean, n in rows.metrics.get(cell, [])},
        slices=_slices(rows.slices.get(cell, {})),
        routes={route: figures.segment(part) for route, part in sorted(rows.routes.get(cell, {}).items())},
        timeline=rows.timelines.get(cell, []),
        versions={
            "production": span.production_versions or [],
            "shadow": span.shadow_versions or [],
            "twin": span.twin_versions or [],
        },
        rules=span.rules or [],
        protocols=rows.protocols.get(cell, {}),
        decision_is_known=span.unpredicted == 0,
        self_check=None,
        labels=labelled.labels if labelled else None,
        accuracy=labelled.accuracy if labelled else None,
        versus=None,
        gates=[],
        hints=hints.of_candidate(trial.candidate, cell, rows.facts, sums),
        not_known=[],
        next=[],
        examples=rows.examples.get(cell, []),
    )
    return sentences.spoken(
        draft, rows.failures.get(cell, []), wishes.scope, _show(source) if wishes.examples else None
    )


def _show(source: Source) -> Callable[[str], str]:
    """Gives the command that shows a pair of this log. Ids come from the log, so they are quoted too."""
    paths = [path for path in source.paths if os.path.normpath(path) != os.path.normpath(DEFAULT_PATH)]
    return lambda pair_id: shlex.join(["shadowproxy", "show", plain(pair_id), *paths])


def _field(row: tuple[Any, ...], examples: bool) -> Field:
    path, kind, count, noise_count, noise_pairs, pair_ids, _ = row
    return Field(
        path=path,
        kind=kind,
        count=count,
        noise_count=noise_count if noise_pairs else None,
        e_value=None,
        flagged=None,
        examples=list(pair_ids) if examples else [],
    )


def _slices(parts: Mapping[tuple[str, str], Tally]) -> dict[str, dict[str, Segment]]:
    slices: dict[str, dict[str, Segment]] = {}
    for (name, value), tally in sorted(parts.items(), key=lambda part: (part[0][0], -part[1].pairs, part[0][1])):
        slices.setdefault(name, {})[value] = figures.segment(tally)
    return slices


def _cell(key: Key) -> Cell:
    return key.candidate, key.trial


def _by_part(tallies: Mapping[tuple[Cell, Any], Tally]) -> dict[Cell, dict[Any, Tally]]:
    parts: dict[Cell, dict[Any, Tally]] = {}
    for (cell, part), tally in tallies.items():
        parts.setdefault(cell, {})[part] = tally
    return parts
