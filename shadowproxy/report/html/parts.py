"""Slices and routes worst first, the labels, and this candidate against the others."""

from __future__ import annotations

from typing import Final

import htpy as h
from htpy import Element, Node

from shadowproxy.report.html.first import number
from shadowproxy.report.record import Accuracy, Candidate, Losses, Rate, Segment, Versus
from shadowproxy.report.screen import Words, flagged_sentence, parts_of
from shadowproxy.report.shown import Figure
from shadowproxy.report.words import bounds, chance, plain
from shadowproxy.report.words import number as bare

_MOST: Final = 60
_HEADS: Final = {
    "errors": ("error_rate_increase", "pp"),
    "decides differently": ("disagreement", "%"),
    "above the noise": ("excess_disagreement", "pp"),
    "differs": ("difference", "%"),
    "clearly slower": ("slower_share", "pp"),
}


def slices(c: Candidate, words: Words) -> Node:
    found = parts_of(c)
    if not found:
        return h.p(".quiet")["One route and no slices: there is nothing to break the figures down by."]
    return [
        h.p[flagged_sentence(c) or "Listed worst first."],
        h.div(".scroll")[
            h.table(".slices")[
                h.thead[
                    h.tr[
                        h.th(scope="col")["slice"],
                        h.th(".n", scope="col", title=words.title("pairs"))["requests"],
                        (h.th(".n", scope="col", title=words.title(key))[name] for name, (key, _) in _HEADS.items()),
                        h.th(scope="col", aria_label="flags"),
                    ]
                ],
                h.tbody[(_part(name, part, words) for name, part in found[:_MOST])],
            ]
        ],
        h.p(".quiet.small")[f"and {len(found) - _MOST:,} more: see the JSON."] if len(found) > _MOST else None,
    ]


def _part(name: str, part: Segment, words: Words) -> Element:
    rates: tuple[Rate, ...] = (
        part.error_rate_increase,
        part.disagreement,
        part.excess_disagreement,
        part.difference,
        part.slower_share,
    )
    return h.tr(class_="few" if part.too_few else "")[
        h.th(scope="row")[name],
        h.td(".n")[f"{part.pairs:,}"],
        (
            h.td(".n")[number(words.rate(rate, unit, key))]
            for rate, (key, unit) in zip(rates, _HEADS.values(), strict=True)
        ),
        h.td[
            h.span(".quiet")["too few"] if part.too_few else None,
            h.strong(".flag")["flagged: ", ", ".join(part.flagged).replace("_", " ")] if part.flagged else None,
        ],
    ]


def labels(c: Candidate, words: Words) -> Node:
    found = c.labels
    if found is None:
        return None
    return [
        h.p[
            f"Labels found for {found.matched:,} requests, none for {found.unmatched:,}, ambiguous for "
            f"{found.ambiguous:,}; {found.unused:,} labels unused."
        ],
        h.p(".banner")[found.bias] if found.bias else None,
        _accuracy(c, c.accuracy, words) if c.accuracy else None,
        _losses(c, c.losses) if c.losses else None,
    ]


def _accuracy(c: Candidate, a: Accuracy, words: Words) -> Node:
    rows = {
        f"{plain(c.production, 40)} right": words.rate(a.production, "%", "accuracy"),
        f"{plain(c.name, 40)} right": words.rate(a.shadow, "%", "accuracy"),
        "right less often": words.rate(a.accuracy_drop, "pp", "accuracy_drop"),
        "right → wrong": Figure(f"{a.good_to_bad:,}", words.title("accuracy_drop")),
        "wrong → right": Figure(f"{a.bad_to_good:,}", words.title("accuracy_drop")),
        "McNemar's test": Figure(chance(a.mcnemar_p), f"{a.mcnemar_method}; holds for one look only."),
    }
    return h.table[
        h.tbody[(h.tr[h.th(scope="row")[name], h.td(".n")[number(figure)]] for name, figure in rows.items())]
    ]


def _losses(c: Candidate, losses: Losses) -> Node:
    return h.table[
        h.caption[f"How far predictions lie from {losses.n:,} labels; smaller is better."],
        h.thead[
            h.tr[
                h.td,
                h.th(".n", scope="col")[plain(c.production, 20)],
                h.th(".n", scope="col")[plain(c.name, 20)],
            ]
        ],
        h.tbody[
            (
                h.tr[
                    h.th(scope="row")[plain(name, 40)],
                    h.td(".n")[bare(losses.production.get(name))],
                    h.td(".n")[bare(value)],
                ]
                for name, value in losses.shadow.items()
            )
        ],
    ]


def versus(found: dict[str, Versus], c: Candidate) -> Node:
    name = plain(c.name, 40)

    def cell(rate: Rate) -> Element:
        return h.td(".n")[bounds(rate.estimate, rate.low, rate.high, "pp")]

    return [
        h.p(".quiet")[
            f"{name} less the other, on the requests that both received. A PASS bounds the risk of one candidate; "
            "choosing the best of several is not covered."
        ],
        h.div(".scroll")[
            h.table[
                h.thead[
                    h.tr[
                        h.th(scope="col")["other"],
                        (
                            h.th(".n", scope="col")[head]
                            for head in ("requests", "errors", "decides differently", "clearly slower")
                        ),
                    ]
                ],
                h.tbody[
                    (
                        h.tr[
                            h.th(scope="row")[plain(other, 40)],
                            h.td(".n")[f"{apart.requests:,}"],
                            cell(apart.errors),
                            cell(apart.disagreement),
                            cell(apart.slower),
                        ]
                        for other, apart in found.items()
                    )
                ],
            ]
        ],
    ]
