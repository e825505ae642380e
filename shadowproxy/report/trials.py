"""The trials of a log, newest first: what `trials` prints, taken from the report itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from shadowproxy.report.record import Candidate, Report
from shadowproxy.report.words import NOTHING, percent, plain

NOT_JUDGED: Final = "not judged"
_HEADS: Final = ("trial", "candidate", "versions", "origin", "from", "to", "pairs", "coverage", "verdict")


def trials(report: Report) -> list[Mapping[str, Any]]:
    """One document for each trial, the one with the latest pair first."""
    found = sorted(report.candidates.values(), key=lambda c: (c.window.to or "", c.trial), reverse=True)
    return [_trial(candidate) for candidate in found]


def _trial(candidate: Candidate) -> Mapping[str, Any]:
    return {
        "trial": candidate.trial,
        "candidate": candidate.name if candidate.name != candidate.trial else _named(candidate),
        "production": candidate.production,
        "versions": candidate.versions,
        "origin": candidate.origin,
        "window": {"from": candidate.window.from_, "to": candidate.window.to},
        "pairs": candidate.pairs,
        "warmup_pairs": candidate.warmup_pairs,
        "coverage": candidate.coverage.estimate,
        "verdict": candidate.verdict,
        "reason": candidate.reason,
        "headline": candidate.headline,
    }


def _named(candidate: Candidate) -> str:
    """Older trials go by their id, which is the candidate's name and a digest."""
    return candidate.trial.rpartition("-")[0] or candidate.trial


def lines(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """(style, line) for a terminal, aligned."""
    rows = [_HEADS, *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield "bold" if number == 0 else "", "  ".join(map(str.ljust, row, widths)).rstrip()


def _row(trial: Mapping[str, Any]) -> tuple[str, ...]:
    versions = " → ".join(plain(", ".join(trial["versions"][role]) or NOTHING, 30) for role in ("production", "shadow"))
    return (
        plain(trial["trial"], 40),
        plain(trial["candidate"], 24),
        versions,
        plain(trial["origin"] or NOTHING, 8),
        _minute(trial["window"]["from"]),
        _minute(trial["window"]["to"]),
        f"{trial['pairs']:,}",
        percent(trial["coverage"]),
        trial["verdict"] or NOT_JUDGED,
    )


def _minute(moment: str | None) -> str:
    return NOTHING if moment is None else moment[:16].replace("T", " ")
