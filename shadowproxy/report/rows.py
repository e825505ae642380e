"""All that one report asks of the log, in one go: the tallies, and the few queries that no tally can answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from shadowproxy.report import (
    against,
    counting,
    curves,
    examples,
    facets,
    hints,
    judged,
    labels,
    latencies,
    ledger,
    query,
    record,
    spread,
)
from shadowproxy.report.counting import Counted
from shadowproxy.report.example import Example
from shadowproxy.report.labels import Labelled
from shadowproxy.report.latencies import Latencies
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.query import Cell, Span
from shadowproxy.report.record import Confusion, Moment
from shadowproxy.report.scope import Trial
from shadowproxy.report.source import Source
from shadowproxy.report.wishes import Wishes
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.gate import Gate


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything that was asked of the log, by (candidate, trial)."""

    counted: Mapping[Cell, Counted]
    spans: Mapping[Cell, Span]
    changed_rules: set[Cell]
    fingerprints: Mapping[Cell, list[tuple[str, str, str]]]
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


def ask(
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
        fingerprints=query.fingerprints(con),
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
