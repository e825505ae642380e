"""The report for a pull request: GitHub's Markdown, the same words as on the terminal, and nothing that a stranger can
format, link or mention in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from shadowproxy.report.record import Candidate, Report
from shadowproxy.report.screen import screen
from shadowproxy.report.shown import Screen
from shadowproxy.report.words import NOTHING, plain

_FIELDS_SHOWN: Final = 10
_SIGNS: Final = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔"}
_SPECIAL: Final = re.compile(r"([\\`*_\[\]#|~$])")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;"}
# A comment inside keeps an address, a mention or a reference from being one, wherever the page is rendered.
_APART: Final = re.compile(r"(@|://|www\.)(?=\S)")


def escaped(text: object) -> str:
    """Text that renders as itself, on one line."""
    whole = "".join(_ENTITIES.get(sign, sign) for sign in plain(text, 2000))
    return _APART.sub(r"\1<!-- -->", _SPECIAL.sub(r"\\\1", whole))


def code(text: object) -> str:
    """A code span: longer fences than any run of backticks inside; a table's bar is escaped there too."""
    inside = plain(text, 2000).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", inside)), default=0) + 1)
    edge = " " if inside.startswith("`") or inside.endswith("`") or not inside.strip() else ""
    return f"{fence}{edge}{inside}{edge}{fence}"


def markdown(report: Report) -> str:
    parts = [line for candidate in report.candidates.values() for line in (*_candidate(candidate), "")]
    if len(report.candidates) > 1:
        parts = [f"**{escaped(report.headline)}**", "", *parts]
    sources = report.sources
    return "\n".join([*parts, f"<sub>{sources.pairs:,} pairs in {sources.files:,} file(s)</sub>", ""])


def _candidate(c: Candidate) -> Iterator[str]:
    shown = screen(c)
    yield f"### {_SIGNS.get(shown.stamp, '▫️')} {escaped(shown.stamp)} · {escaped(shown.heading)}"
    yield ""
    for banner in c.banners:
        yield f"> ⚠️ {escaped(banner)}"
        yield ""
    yield f"**{escaped(shown.summary)}** {escaped(shown.reason)}".rstrip()
    yield ""
    yield " · ".join(escaped(figure.shown) for figure in shown.scale)
    yield ""
    if shown.rows:
        yield from _first_table(shown)
        for note in shown.notes:
            yield f"<sub>{escaped(note)}</sub><br>"
        yield ""
        yield from _fields(c)
    yield from (f"- **Hint:** {_with_code(hint)}" for hint in shown.hints)
    yield f"- **What is not known:** {escaped(shown.not_known)}"
    for step in shown.next:
        yield f"- **Next:** {escaped(step.what)}" + (f" → {code(step.command)}" if step.command else "")


def _first_table(shown: Screen) -> Iterator[str]:
    yield _row([escaped(column) for column in shown.columns])
    yield "|---|--:|--:|--:|--:|---|"
    for row in shown.rows:
        verdict = row.verdict.shown
        sign = f"{_SIGNS[verdict]} " if verdict in _SIGNS else ""
        figures = (row.old, row.new, row.difference, row.limit)
        yield _row([escaped(row.name), *(escaped(figure.shown) for figure in figures), sign + escaped(verdict)])
    yield ""


def _fields(c: Candidate) -> Iterator[str]:
    changed = [field for field in c.fields if field.count]
    if not changed:
        return
    yield "<details><summary>Fields that differ</summary>"
    yield ""
    yield _row(["field", "kind", "pairs", "noise", ""])
    yield "|---|---|--:|--:|---|"
    for field in changed[:_FIELDS_SHOWN]:
        noise = NOTHING if field.noise_count is None else f"{field.noise_count:,}"
        flag = "above the noise" if field.flagged else ""
        yield _row([code(plain(field.path, 80)), escaped(field.kind), f"{field.count:,}", noise, flag])
    if c.fields_total > _FIELDS_SHOWN:
        yield ""
        yield f"and {c.fields_total - min(len(changed), _FIELDS_SHOWN):,} more"
    yield ""
    yield "</details>"
    yield ""


def _with_code(sentence: str) -> str:
    """Our own hints put settings between backticks; all around them is escaped."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:  # somebody else's backtick
        return escaped(sentence)
    return "".join(code(part) if number % 2 else escaped(part) for number, part in enumerate(parts))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
