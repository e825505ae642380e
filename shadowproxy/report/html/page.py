"""The whole document: its policy, its style, a section for each candidate, and what every figure means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import htpy as h
from htpy import Element, Node
from markupsafe import Markup

from shadowproxy.pages import assets
from shadowproxy.report.html.accounts import accounts
from shadowproxy.report.html.course import course
from shadowproxy.report.html.examples import examples
from shadowproxy.report.html.first import first_screen, stamp
from shadowproxy.report.html.gates import gates
from shadowproxy.report.html.latency import latency
from shadowproxy.report.html.outputs import confusion, fields, metrics, spread
from shadowproxy.report.html.parts import labels, slices, versus
from shadowproxy.report.record import Candidate, Report
from shadowproxy.report.screen import Words, screen
from shadowproxy.report.shown import Screen
from shadowproxy.report.titles import TITLES
from shadowproxy.report.words import duration, percent, plain

STYLES: Final = (assets.BASE_CSS, assets.FIGURES_CSS, assets.REPORT_CSS)

# A line for each block, so that two reports can be compared with diff(1). A payload has no tag that this could meet.
_BLOCK_ENDS: Final = re.compile(
    r"(</(?:article|div|dd|figure|h[1-6]|head|header|li|nav|p|section|table|thead|tr)>)(?=<)"
)

Section = tuple[str, str, Node]  # (id, heading, content)


def html(report: Report) -> str:
    style = "".join(map(assets.text, STYLES))
    names = ", ".join(f"{plain(c.name)} instead of {plain(c.production)}" for c in report.candidates.values())
    document = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(http_equiv="Content-Security-Policy", content=policy(style)),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="referrer", content="no-referrer"),
            h.meta(name="color-scheme", content="light dark"),
            h.title[f"{report.verdict or 'not judged'} · {names}"],
            # Ours alone: nothing of the log is in it, and the policy knows its hash.
            h.style[Markup(style)],
        ],
        h.body[h.main[_overview(report), _candidates(report), _meanings(report), _foot(report)]],
    ]
    # As plain text: what is joined to markupsafe's strings is escaped.
    return _BLOCK_ENDS.sub("\\1\n", f"{document}\n")


def policy(style: str) -> str:
    """Nothing may be fetched, run, sent or framed; only this very style applies."""
    return f"default-src 'none'; style-src {assets.source(style)}; base-uri 'none'; form-action 'none'"


def _overview(report: Report) -> Node:
    if len(report.candidates) < 2:
        return None
    return h.header(".overview")[
        h.h1[report.headline],
        h.ul[
            (
                h.li[h.a(href=f"#c{number}")[plain(c.name, 40)], " ", stamp(c.verdict), " ", c.summary]
                for number, c in enumerate(report.candidates.values())
            )
        ],
    ]


def _candidates(report: Report) -> Iterator[Element]:
    for place, c in enumerate(report.candidates.values()):
        shown = screen(c)
        sections = [(f"c{place}-{name}", head, content) for name, head, content in _sections(c, Words(c))]
        yield h.article(".candidate", id=f"c{place}")[
            first_screen(c, shown),
            _contents(sections, shown) if sections else None,
            (h.section(id=name)[h.h3[head], content] for name, head, content in sections),
        ]


def _sections(c: Candidate, words: Words) -> Iterator[Section]:
    old, new = plain(c.production, 40), plain(c.name, 40)
    if c.pairs:
        yield "gates", "Gates", gates(c, words)
        yield "latency", "Latency within pairs", latency(c, words)
        yield "course", "Over time", course(c, words)
        yield "fields", "Fields that differ", fields(c, words)
        if c.confusion is not None:
            yield "classes", f"What {old} and {new} decided", confusion(c.confusion, c, words)
        if c.spread is not None:
            yield "spread", "How far the numbers lie apart", spread(c.spread, c, words)
        if c.metrics:
            yield "measures", "Measures of the comparison", metrics(c.metrics, words)
        yield "slices", "Slices and routes", slices(c, words)
        yield "examples", "Example pairs", examples(c, words)
        if c.labels is not None:
            yield "labels", "Labels", labels(c, words)
        if c.versus:
            yield "versus", f"{new} against other candidates", versus(c.versus, c)
    yield "accounts", "Coverage, and what was dropped", accounts(c, words)


def _contents(sections: list[Section], shown: Screen) -> Element:
    return h.nav(".contents", aria_label=f"sections on {shown.name}")[
        (h.a(href=f"#{name}")[head] for name, head, _ in sections)
    ]


def _meanings(report: Report) -> Node:
    """The titles again, for fingers, printers and screen readers."""
    c = next(iter(report.candidates.values()), None)
    if c is None:
        return None
    words = Words(c) if len(report.candidates) == 1 else None
    return h.section("#meanings")[
        h.h3["What the figures mean"],
        h.dl[([h.dt[key.replace("_", " ")], h.dd[words.title(key) if words else _generally(key)]] for key in TITLES)],
    ]


def _generally(key: str) -> str:
    return TITLES[key].format(old="production", new="the candidate", copy="the reference", by="25 %", over="the limit")


def _foot(report: Report) -> Element:
    s, t = report.sources, report.terms
    unread = [f"{n:,} {what}" for n, what in ((s.torn_lines, "torn"), (s.bad_lines, "unreadable")) if n]
    return h.footer(".quiet.small")[
        h.p[
            f"{s.pairs:,} pairs in {s.files:,} file(s)",
            f", {' and '.join(unread)} line(s) left out" if unread else None,
            f". Judged at {percent(t.confidence)} confidence in buckets of {duration(t.bucket_s)}; PASS needs "
            f"{percent(t.coverage)} coverage and {t.at_least_pairs:,} pairs",
            f" over {duration(t.at_least_s)}" if t.at_least_s else None,
            ". One look at a closed log: the intervals are void if somebody looked before." if t.final else ".",
        ],
        (h.p[hint] for hint in report.hints if not any(hint in c.hints for c in report.candidates.values())),
    ]
