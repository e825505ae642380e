"""One candidate's case: what was counted of its trial, the facts about it, and what the judge ruled.

Everything that the record tells of a candidate is derived from its case; nothing here asks the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from shadowproxy.report import counting, figures, fingerprints, gates, ruling
from shadowproxy.report.counting import Counted
from shadowproxy.report.figures import Measured
from shadowproxy.report.gates import Given
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.query import Cell, Span
from shadowproxy.report.record import Rate
from shadowproxy.report.rows import Rows
from shadowproxy.report.ruling import Ruling
from shadowproxy.report.scope import Trial
from shadowproxy.report.wishes import Wishes
from shadowproxy.report.words import plain
from shadowproxy.stats.verdict import Verdict

_NO_SPAN = Span(0, 0, 0, None, None, None, None, None, None, None, None, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Case:
    trial: Trial
    rows: Rows
    wishes: Wishes
    given: Given
    counted: Counted
    span: Span
    ledger: Ledger | None
    coverage: Rate
    ruled: Ruling

    @property
    def cell(self) -> Cell:
        return (self.trial.candidate, self.trial.trial)

    @property
    def production(self) -> str:
        """As the pairs say it; before the first, as the configuration does."""
        snapshot = self.wishes.snapshot
        return self.span.production or (snapshot.production.name if snapshot is not None else "production")

    @property
    def reference(self) -> str:
        """Of errors and latency."""
        return "twin" if self.trial.twin_covers else "production"

    @property
    def seconds(self) -> float | None:
        """From the first pair that counts to the last; None where there is none."""
        if self.span.from_us is None or self.span.to_us is None:
            return None
        return (self.span.to_us - self.span.from_us) / 1e6

    @property
    def measured(self) -> Measured:
        return Measured(self.counted.whole, self.wishes.terms, self.wishes.final)

    @property
    def verdict(self) -> Verdict | None:
        """None where nothing was judged, or nothing came that could be."""
        return self.ruled.judgement.verdict if self.span.pairs > 0 else None

    @property
    def told(self) -> gates.Told:
        names = gates.Names(plain(self.production), plain(self.trial.name), self.trial.twin_covers)
        return gates.Told(names, self.ruled.facts, self.wishes.terms, self.counted.whole)


def of(trial: Trial, rows: Rows, wishes: Wishes, given: Given) -> Case:
    """Raises evidence.NotCounted for a gate whose columns were not counted."""
    cell = (trial.candidate, trial.trial)
    counted = rows.counted.get(cell) or counting.nothing()
    span = rows.spans.get(cell, _NO_SPAN)
    ledger = rows.ledgers.get(cell)
    coverage = figures.coverage(ledger, is_written=rows.is_written)
    said = rows.fingerprints.get(cell, [])
    facts = ruling.facts_of(
        span,
        counted,
        coverage.estimate,
        twin_covers=trial.twin_covers,
        rules_changed=cell in rows.changed_rules,
        is_mixed=bool(fingerprints.mixed(said)),
        is_twin_unlike=fingerprints.are_unlike(said, "production", "twin"),
        has_labels=counted.whole.total("labelled") > 0,
    )
    ruled = ruling.rule(given, counted, facts, wishes.terms, final=wishes.final)
    return Case(trial, rows, wishes, given, counted, span, ledger, coverage, ruled)
