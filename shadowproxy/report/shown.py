"""The first screen of a candidate, before any format: what text, Markdown, HTML and the dashboard print alike.

A figure carries the sentence that defines it. Names, paths and messages have been made harmless by `words.plain`, but
not escaped: that is the format's.
"""

from __future__ import annotations

from typing import Final

import msgspec

from shadowproxy.report.words import NOTHING


class Figure(msgspec.Struct, frozen=True):
    """What is printed, and the one sentence that defines it."""

    shown: str
    title: str = ""

    def __bool__(self) -> bool:
        return self.shown not in ("", NOTHING)


NO_FIGURE: Final = Figure(NOTHING)


class Row(msgspec.Struct, frozen=True):
    name: str
    old: Figure = NO_FIGURE
    new: Figure = NO_FIGURE
    difference: Figure = NO_FIGURE
    limit: Figure = NO_FIGURE
    verdict: Figure = NO_FIGURE


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at, and the command that shows it."""

    what: str
    command: str | None = None


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    heading: str  # `v2 instead of v1`
    verdict: str | None
    summary: str
    reason: str
    scale: tuple[Figure, ...]
    columns: tuple[str, str, str, str, str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # what the table's signs mean, and whom it leaves out
    hints: tuple[str, ...]
    not_known: str
    next: tuple[Step, ...]

    @property
    def stamp(self) -> str:
        return self.verdict or "not judged"
