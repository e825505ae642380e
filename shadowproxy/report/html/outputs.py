"""What the answers say differently: fields with the noise beside them, and which class became which."""

from __future__ import annotations

from typing import Final

import htpy as h
from htpy import Element, Node

from shadowproxy.report.html.svg import at
from shadowproxy.report.record import Candidate, Confusion, Field, Metric, Spread
from shadowproxy.report.screen import Words
from shadowproxy.report.words import NOTHING, bounds, number, percent, plain

_MOST: Final = 30
_BAR: Final = 120.0
_SHADES: Final = 6


def fields(c: Candidate, words: Words) -> Node:
    changed = [field for field in c.fields if field.count or field.noise_count]
    if not changed:
        return h.p(".quiet")["No compared field differs."]
    most = max(max(field.count, field.noise_count or 0) for field in changed)
    new, copy = plain(c.name, 20), f"{plain(c.production, 20)}'s copy"
    left = c.fields_total - min(len(changed), _MOST)
    return [
        h.div(".scroll")[
            h.table(".fields")[
                h.thead[
                    h.tr[
                        h.th(scope="col")["field"],
                        h.th(scope="col")["kind"],
                        h.th(".n", scope="col", title=words.title("field"))[new],
                        h.th(".n", scope="col", title=words.title("field_noise"))[copy],
                        h.th(scope="col", aria_label="drawn"),
                        h.th(scope="col", aria_label="flag"),
                    ]
                ],
                h.tbody[(_field(field, most, words) for field in changed[:_MOST])],
            ]
        ],
        h.p(".quiet.small")[f"and {left:,} more: see the JSON."] if left > 0 else None,
    ]


def _field(field: Field, most: int, words: Words) -> Element:
    noise = field.noise_count
    return h.tr[
        h.th(scope="row")[h.code[plain(field.path, 120)]],
        h.td[plain(field.kind, 20)],
        h.td(".n")[h.span(title=words.title("field"))[f"{field.count:,}"]],
        h.td(".n")[NOTHING if noise is None else h.span(title=words.title("field_noise"))[f"{noise:,}"]],
        h.td[
            h.svg(".bars", viewBox=f"0 0 {_BAR:g} 18", aria_hidden="true")[
                h.rect(".of-candidate", y="1", height="7", width=at(_BAR * field.count / most)),
                h.rect(".of-twin", y="10", height="7", width=at(_BAR * noise / most)) if noise else None,
            ]
        ],
        h.td[_flag(field)],
    ]


def _flag(field: Field) -> Node:
    if field.e_value is None:
        return None
    why = f"e-value {field.e_value:.3g} against 'no more often than noise', flagged among all fields by e-BH"
    return h.strong(".flag", title=why)["above the noise"] if field.flagged else h.span(".quiet", title=why)["as noise"]


def confusion(table: Confusion, c: Candidate, words: Words) -> Node:
    old, new = plain(c.production, 20), plain(c.name, 20)
    apart = max(
        (n for i, row in enumerate(table.counts) for j, n in enumerate(row) if i != j),
        default=0,
    )
    said = [f"Agreement between {old} and {new}: {percent(table.agreement)} of {table.items:,} items"]
    if table.kappa is not None:
        said.append(f"Cohen's κ {number(table.kappa)}")
    shown = sum(map(sum, table.counts))
    if shown < table.items:
        said.append(f"the commonest classes; {table.items - shown:,} items of others are not shown")
    return [
        h.p[h.span(title=words.title("kappa"))["; ".join(said)], "."],
        h.div(".scroll")[
            h.table(".confusion")[
                h.caption[f"Rows: what {old} decided; columns: what {new} decided."],
                h.thead[h.tr[h.td, (h.th(".n", scope="col")[plain(label, 16)] for label in table.labels)]],
                h.tbody[
                    (
                        h.tr[
                            h.th(scope="row")[plain(label, 16)],
                            (_cell(n, i == j, apart, f"{label} → {table.labels[j]}") for j, n in enumerate(row)),
                        ]
                        for i, (label, row) in enumerate(zip(table.labels, table.counts, strict=True))
                    )
                ],
            ]
        ],
    ]


def _cell(n: int, same: bool, most: int, flow: str) -> Element:
    shade = "same" if same else f"q{-(-_SHADES * n // most)}" if n and most else ""
    return h.td(class_=f"n {shade}", title=f"{plain(flow, 60)}: {n:,}")[f"{n:,}" if n else h.span(".quiet")["·"]]


def spread(found: Spread, c: Candidate, words: Words) -> Node:
    rows = {
        f"mean of {plain(c.production, 20)}": (found.production_mean, "spread_mean"),
        f"mean of {plain(c.name, 20)}": (found.shadow_mean, "spread_mean"),
        "Kolmogorov-Smirnov": (found.kolmogorov_smirnov, "kolmogorov_smirnov"),
        "Wasserstein": (found.wasserstein, "wasserstein"),
    }
    which = "a part, chosen by a hash of the pair's id" if found.is_part else "all pairs"
    return h.table[
        h.caption[f"The numbers that both decided, {found.items:,} of {which}: sizes of an effect, not tests."],
        h.tbody[
            (
                h.tr[h.th(scope="row")[name], h.td(".n")[h.span(title=words.title(key))[number(value)]]]
                for name, (value, key) in rows.items()
            )
        ],
    ]


def metrics(found: dict[str, Metric], words: Words) -> Node:
    return h.div(".scroll")[
        h.table[
            h.thead[
                h.tr[h.th(scope="col")["measure"], h.th(".n", scope="col")["mean (95 %)"], h.th(".n", scope="col")["n"]]
            ],
            h.tbody[
                (
                    h.tr[
                        h.th(scope="row")[plain(name, 60)],
                        h.td(".n")[
                            h.span(title=words.title("mean"))[bounds(metric.mean, metric.low, metric.high, "own")]
                        ],
                        h.td(".n")[f"{metric.n:,}"],
                    ]
                    for name, metric in found.items()
                )
            ],
        ]
    ]
