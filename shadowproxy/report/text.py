"""The report on a terminal: the first screen for each candidate, at most 100 columns, whole without colour.

A line is (style, text): the style only colours, and every text has been made harmless by `words.plain`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from shadowproxy.report.record import Candidate, Report
from shadowproxy.report.screen import screen
from shadowproxy.report.shown import Row
from shadowproxy.report.words import NOTHING, plain

WIDTH: Final = 100
_RULE: Final = "─" * 90
_COLUMNS: Final = (27, 11, 11, 26, 10, 13)
_FIELDS_SHOWN: Final = 5
_STYLES: Final = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}

Line = tuple[str, str]


def lines(report: Report) -> Iterator[Line]:
    """All candidates, one screen each, then what concerns the whole log."""
    if len(report.candidates) > 1:
        yield from _wrapped("bold", report.headline)
        yield "", ""
    for candidate in report.candidates.values():
        yield from _screen(candidate)
        yield "", ""
    sources = report.sources
    yield (
        "dim",
        f"{sources.pairs:,} pairs in {sources.files:,} file(s)" + _unread(sources.torn_lines, sources.bad_lines),
    )


def _screen(c: Candidate) -> Iterator[Line]:
    shown = screen(c)
    for banner in c.banners:
        yield from _wrapped("bold red", f"! {plain(banner, 400)}")
    yield f"bold {_STYLES.get(shown.stamp, '')}".rstrip(), f"{shown.heading:<78}{shown.stamp}"
    yield from _wrapped("bold", shown.summary)
    yield from _wrapped("", shown.reason)
    yield from _wrapped("", " · ".join(figure.shown for figure in shown.scale))
    if shown.rows:
        yield "dim", _RULE
        yield "bold", _line(shown.columns)
        for row in shown.rows:
            yield from _row(row)
        for note in shown.notes:
            yield from _wrapped("dim", note)
        yield from _fields(c)
    for hint in shown.hints:
        yield from _wrapped("yellow", f"Hint: {hint}")
    yield from _wrapped("", f"What is not known: {shown.not_known}")
    for number, step in enumerate(shown.next):
        yield from _wrapped("", ("Next: " if number == 0 else "      ") + step.what)
        if step.command:
            yield "", f"        {step.command}"  # never wrapped: it is there to be copied


def _row(row: Row) -> Iterator[Line]:
    """One line, or two where the name is too long for its column."""
    figures = (row.old, row.new, row.difference, row.limit, row.verdict)
    style = _STYLES.get(row.verdict.shown, "")
    name = row.name
    if len(name) >= _COLUMNS[0]:
        yield "", name
        name = ""
    yield style, _line((name, *(figure.shown for figure in figures)))


def _fields(c: Candidate) -> Iterator[Line]:
    changed = [field for field in c.fields if field.count]
    if not changed:
        return
    yield "bold", f"{'Fields that differ':<58}{'kind':<9}{'pairs':>10}{'noise':>12}"
    for field in changed[:_FIELDS_SHOWN]:
        noise = NOTHING if field.noise_count is None else f"{field.noise_count:,}"
        flag = "  above the noise" if field.flagged else ""
        yield "", f"  {plain(field.path, 54):<56}{plain(field.kind, 8):<9}{field.count:>10,}{noise:>12}{flag}".rstrip()
    if c.fields_total > _FIELDS_SHOWN:
        yield "dim", f"  and {c.fields_total - min(len(changed), _FIELDS_SHOWN):,} more: see --format json"


def _line(cells: Sequence[str]) -> str:
    """Each cell in its column; one that is too long moves the rest of its line."""
    return "".join(f"{cell:<{width - 1}} " for cell, width in zip(cells, _COLUMNS, strict=True)).rstrip()


def _unread(torn: int, bad: int) -> str:
    parts = [f"{count:,} {what}" for count, what in ((torn, "torn"), (bad, "unreadable")) if count]
    return f", {' and '.join(parts)} line(s) left out" if parts else ""


def _wrapped(style: str, text: str) -> Iterator[Line]:
    for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False):
        yield style, line
