"""What became of every request, in the ledger's order: nothing is left out of sight."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h
from htpy import Element, Node

from shadowproxy.report.html.svg import at
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.record import Candidate
from shadowproxy.report.screen import Words, reason_of
from shadowproxy.report.words import percent, plain

_BAR = 160.0


def accounts(c: Candidate, words: Words) -> Node:
    return [
        _ledger(c.ledger, c)
        if c.ledger
        else h.p["The log holds no ledger: how much of the traffic this is is not known."],
        _incomparable(c, words),
        _versions(c),
    ]


def _ledger(ledger: Ledger, c: Candidate) -> Node:
    rows = list(_rows(ledger, plain(c.name, 40)))
    return [
        h.div(".scroll")[
            h.table(".accounts")[
                h.tbody[(_row(name, n, ledger.requests, level) for name, n, level in rows if n or level < 2)]
            ]
        ],
        h.p(".quiet")["The ledger balances: every request is accounted for."]
        if ledger.laws_hold
        else h.p(".banner.bad")["The ledger does not balance: ", "; ".join(ledger.broken), "."],
    ]


def _rows(ledger: Ledger, new: str) -> Iterator[tuple[str, int, int]]:
    """(what, how many, how deep)."""
    yield "requests to the proxy", ledger.requests, 0
    yield "no route matched", ledger.unmatched, 2
    yield from ((f"excluded by rule: {plain(reason)}", n, 2) for reason, n in ledger.excluded.items())
    yield "eligible", ledger.eligible, 1
    yield "sampled out", ledger.sampled_out, 2
    yield from ((f"dropped: {plain(reason)}", n, 2) for reason, n in ledger.dropped.items())
    yield f"copies sent to {new}", ledger.sent, 1
    yield "still in flight", ledger.in_flight, 2
    yield from ((f"finished: {plain(outcome)}", n, 2) for outcome, n in ledger.finished.items())
    yield from ((f"not logged: {plain(reason)}", n, 2) for reason, n in ledger.unlogged.items())
    yield "logged as pairs", ledger.logged, 1


def _row(name: str, count: int, of: int, level: int) -> Element:
    return h.tr(class_=f"level{level}")[
        h.th(scope="row")[name],
        h.td(".n")[f"{count:,}"],
        h.td(".n.quiet")[percent(count / of) if of else ""],
        h.td(".drawn")[
            h.svg(".bars", viewBox=f"0 0 {_BAR:g} 10", aria_hidden="true")[
                h.rect(y="1", height="8", width=at(_BAR * min(1.0, count / of) if of else 0))
            ]
        ],
    ]


def _incomparable(c: Candidate, words: Words) -> Node:
    if not c.incomparable.reasons:
        return None
    return [
        h.h4[
            h.span(title=words.title("incomparable"))[
                f"Not comparable: {percent(c.incomparable.share.estimate)} of {c.incomparable.share.n:,} pairs"
            ]
        ],
        h.ul[(h.li[f"{count:,} {reason_of(reason, c)}"] for reason, count in c.incomparable.reasons.items())],
    ]


def _versions(c: Candidate) -> Node:
    roles = {"production": plain(c.production, 40), "shadow": plain(c.name, 40), "twin": "the twin"}
    said = [
        f"{roles.get(role, plain(role))}: {', '.join(plain(version) for version in versions)}"
        for role, versions in c.versions.items()
        if versions
    ]
    return h.p(".quiet.small")[
        f"Trial {plain(c.trial)}",
        f", {plain(c.origin)}" if c.origin else None,
        ". Versions: " + "; ".join(said) if said else None,
        ".",
    ]
