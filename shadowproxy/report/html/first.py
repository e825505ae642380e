"""The first screen: banners, the sentence, the table, and what to look at next."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h
from htpy import Element, Node

from shadowproxy.report.record import Candidate
from shadowproxy.report.shown import Figure, Row, Screen


def stamp(verdict: str | None, shown: str | None = None) -> Element:
    return h.span(class_=f"verdict {verdict or 'none'}")[shown or verdict or "not judged"]


def number(figure: Figure) -> Node:
    return h.span(title=figure.title)[figure.shown] if figure.title else figure.shown


def first_screen(c: Candidate, shown: Screen) -> Node:
    return [
        [h.p(".banner.bad", role="alert")[banner] for banner in c.banners],
        h.header(".first")[
            h.h2[shown.heading, " ", stamp(shown.verdict)],
            h.p(".summary")[shown.summary],
            shown.reason and h.p[shown.reason],
            h.p(".scale.quiet")[_between(" · ", [number(figure) for figure in shown.scale])],
        ],
        _table(shown) if shown.rows else None,
        [h.p(".note.quiet")[note] for note in shown.notes],
        h.ul(".after")[
            [h.li(".hint")[h.strong["Hint: "], with_code(hint)] for hint in shown.hints],
            h.li[h.strong["What is not known: "], shown.not_known],
            [
                h.li[h.strong["Next: "], step.what, step.command and [" → ", h.code[step.command]]]
                for step in shown.next
            ],
        ],
    ]


def _table(shown: Screen) -> Element:
    _, old, new, *rest = shown.columns
    heads = [h.th(".n.of-production", scope="col")[old], h.th(".n.of-candidate", scope="col")[new]]
    return h.table(".figures.stack")[
        h.thead[h.tr[h.td, heads, (h.th(class_="" if name == "verdict" else "n", scope="col")[name] for name in rest)]],
        h.tbody[(_row(row, shown.columns) for row in shown.rows)],
    ]


def _row(row: Row, columns: tuple[str, ...]) -> Element:
    figures = (row.old, row.new, row.difference, row.limit)
    return h.tr[
        h.th(scope="row")[row.name],
        (
            h.td(data_label=column, class_="n" if figure else "n nothing")[number(figure)]
            for column, figure in zip(columns[1:5], figures, strict=True)
        ),
        h.td(data_label="verdict", class_="of-verdict" if row.verdict else "of-verdict nothing")[
            h.span(title=row.verdict.title)[stamp(row.verdict.shown)] if row.verdict else row.verdict.shown
        ],
    ]


def with_code(sentence: str) -> Node:
    """Hints put settings between backticks."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return sentence
    return [h.code[part] if number % 2 else part for number, part in enumerate(parts)]


def _between(sign: str, nodes: list[Node]) -> Iterator[Node]:
    for number_, node in enumerate(nodes):
        yield sign if number_ else None
        yield node
