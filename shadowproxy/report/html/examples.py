"""Example pairs: what was asked, what each side answered, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h
from htpy import Element, Node

from shadowproxy.report import beside
from shadowproxy.report.beside import Pieces, Row
from shadowproxy.report.example import Example, Side
from shadowproxy.report.examples import FAILS
from shadowproxy.report.record import Candidate
from shadowproxy.report.screen import Words
from shadowproxy.report.words import milliseconds, plain

_MOST_DIFFERENCES = 10
_REQUEST_LINES = 12
_ONE_LINE = 160  # signs of a request's body that need no layout


def examples(c: Candidate, words: Words) -> Node:
    if not c.examples:
        return h.p(".quiet")["None: no pair departs, or examples were left out."]
    return [_example(example, c, words) for example in c.examples]


def _example(e: Example, c: Candidate, words: Words) -> Element:
    new = plain(c.name, 40)
    return h.section(".example")[
        h.h4[f"{new} {plain(e.kind)}: ", h.code[plain(e.what, 140)]],
        h.p(".quiet.small")[
            h.span(title=words.title("alike"))[f"{e.count:,} {'request' if e.count == 1 else 'requests'} like this"],
            f" · {plain(e.method)} {plain(e.target, 120)} · route {plain(e.route)} · {plain(e.ts)} · ",
            h.code[f"shadowproxy show {plain(e.pair_id)}"],
        ],
        _request(e),
        _differences(e, c),
        _sides(e),
    ]


def _request(e: Example) -> Node:
    if not e.request:
        return None
    if e.request_encoding == "utf8" and len(e.request) <= _ONE_LINE and not e.request_cut:
        return h.pre(".body", aria_label="request's body")[plain(e.request)]
    lines = beside.lines(e.request) if e.request_encoding == "utf8" else []
    shown = [plain(line.text, beside.LONGEST_LINE) for line in lines[:_REQUEST_LINES]]
    more = "\n…" if len(lines) > _REQUEST_LINES or e.request_cut else ""
    return h.pre(".body", aria_label="request's body")["\n".join(shown) + more if shown else "(binary)"]


def _differences(e: Example, c: Candidate) -> Node:
    if not e.differences:
        return None
    left = len(e.differences) - _MOST_DIFFERENCES
    return h.div(".scroll")[
        h.table(".small")[
            h.thead[
                h.tr[
                    h.th(scope="col")["differs"],
                    h.th(scope="col")["kind"],
                    h.th(".of-production", scope="col")[plain(c.production, 20)],
                    h.th(".of-candidate", scope="col")[plain(c.name, 20)],
                ]
            ],
            h.tbody[
                (
                    h.tr[
                        h.th(scope="row")[h.code[plain(d.path, 100)]],
                        h.td[plain(d.kind, 20)],
                        h.td[h.code[plain(d.production, 80)]],
                        h.td[h.code[plain(d.shadow, 80)]],
                    ]
                    for d in e.differences[:_MOST_DIFFERENCES]
                ),
                h.tr[h.td(colspan="4")[f"and {left:,} more"]] if left > 0 else None,
            ],
        ]
    ]


def _sides(e: Example) -> Element:
    return h.table(".beside")[
        h.thead[h.tr[_head(e.production, "of-production"), _head(e.shadow, "of-candidate")]],
        h.tbody[_body_rows(e)],
    ]


def _head(side: Side, of: str) -> Element:
    facts = [
        f"HTTP {side.status}" if side.status is not None else None,
        plain(side.outcome) if side.outcome not in (None, "complete") else None,
        milliseconds(side.latency_ms) if side.latency_ms is not None else None,
        plain(side.error, 100) if side.error else None,
        "cut off here" if side.cut else None,
    ]
    return h.th(scope="col", class_=of)[plain(side.upstream, 40), " · ", " · ".join(filter(None, facts))]


def _body_rows(e: Example) -> Iterator[Element]:
    texts = [_text(side) for side in (e.production, e.shadow)]
    if None in texts:
        yield h.tr[
            (
                h.td[_alone(side) if text is None else _pieces(((text[: beside.LONGEST_LINE], False),), "")]
                for side, text in zip((e.production, e.shadow), texts, strict=True)
            )
        ]
        return
    old, new = (text or "" for text in texts)
    paths = [difference.path for difference in e.differences]
    yield from map(_row, beside.unmarked(old, new) if e.kind == FAILS else beside.rows(old, new, paths))


def _text(side: Side) -> str | None:
    return side.body if side.body_encoding == "utf8" else None


def _alone(side: Side) -> Element:
    """Why there is no text."""
    if side.body_encoding == "base64":
        return h.span(".quiet")[f"binary, {side.body_bytes or 0:,} bytes"]
    return h.span(".quiet")[
        "no body" if not side.body_bytes else f"{plain(side.body_encoding)}, {side.body_bytes:,} bytes"
    ]


def _row(row: Row) -> Element:
    if row.skipped:
        return h.tr(".skipped")[h.td(colspan="2")[f"⋯ {row.skipped:,} equal lines"]]
    mark = "found" if row.found else "allowed"
    return h.tr(class_="equal" if row.old == row.new else None)[
        (h.td[_pieces(side, mark)] for side in (row.old, row.new))
    ]


def _pieces(pieces: Pieces | None, mark: str) -> Node:
    if pieces is None:
        return None
    return [
        h.mark(class_=mark)[plain(text, beside.LONGEST_LINE)] if differs else plain(text, beside.LONGEST_LINE)
        for text, differs in pieces
        if text
    ]
