"""The report's record of a log: which trials are asked about, one candidate after another, and the verdict over all."""

from __future__ import annotations

import threading
from importlib import import_module

import duckdb

from shadowproxy.report import case, closing, gates, record, scope, sentences
from shadowproxy.report.candidate import candidate
from shadowproxy.report.record import Report, Sources, Window
from shadowproxy.report.rows import ask
from shadowproxy.report.screen import worded
from shadowproxy.report.source import Source
from shadowproxy.report.views import Loaded
from shadowproxy.report.wishes import Wishes
from shadowproxy.report.words import moment
from shadowproxy.stats.verdict import Verdict, overall

FORMAT_VERSION = 1


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
    rows = ask(con, source, wishes, trials, asked, is_written=is_written)
    candidates = {
        trial.name: candidate(case.of(trial, rows, wishes, rulebook[trial.candidate]), source, heard)
        for trial in trials
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
