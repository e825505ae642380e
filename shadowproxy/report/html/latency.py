"""Latency within pairs: how it is distributed on each side, how it differs, and the quantiles in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import htpy as h
from htpy import Element, Node

from shadowproxy.report.html.svg import Frame, Point, Scale, at, key, line
from shadowproxy.report.record import Candidate, Stream
from shadowproxy.report.screen import Words
from shadowproxy.report.words import milliseconds, percent, plain

_FRAME: Final = Frame()
_WIDE: Final = 12.0  # from where on a range of latencies is drawn on a logarithmic axis
_ROLES: Final = {"production": "of-production", "twin": "of-twin", "shadow": "of-candidate"}
_QUANTILES: Final = {"p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}

Curve = list[tuple[float, float | None]]


def latency(c: Candidate, words: Words) -> Node:
    curves = c.latency_ms.curves
    return [
        h.div(".charts")[
            _distributions(c, curves),
            _differences(c, curves["difference"], words) if curves.get("difference") else None,
        ]
        if curves.get("shadow")
        else None,
        _table(c, words),
        c.stream is not None and _stream(c, c.stream, words),
    ]


def _names(c: Candidate) -> dict[str, str]:
    old = plain(c.production, 40)
    return {"production": old, "twin": f"{old}'s copy", "shadow": plain(c.name, 40)}


def _distributions(c: Candidate, curves: Mapping[str, Curve]) -> Element:
    found = {role: curves[role] for role in _ROLES if curves.get(role)}
    values = [ms for curve in found.values() for _, ms in curve if ms is not None]
    low, high = min(values), max(values)
    is_log = low > 0 and high / low > _WIDE
    x, y = _FRAME.x(low if is_log else 0.0, high, is_log=is_log), _FRAME.y(0, 1)
    names = _names(c)
    return h.figure[
        h.figcaption["Share of requests answered within a time", _timeouts(c)],
        _FRAME.chart(
            f"Distribution of latency of {', '.join(names[role] for role in found)}",
            _FRAME.axes(x, y, "latency, logarithmic" if is_log else "latency", _ms, percent),
            (line(_points(curve), x, y, _ROLES[role]) for role, curve in found.items()),
        ),
        h.p(".keys")[(key(_ROLES[role], names[role]) for role in found)],
    ]


def _timeouts(c: Candidate) -> str:
    t = c.latency_ms
    return f"; {t.timed_out:,} of {t.pairs:,} copies timed out" if t.timed_out else ""


def _differences(c: Candidate, curve: Curve, words: Words) -> Element:
    values = [ms for _, ms in curve if ms is not None]
    if not values:
        return h.figure[h.figcaption["Every copy timed out: there is no difference to draw."]]
    reach = max(abs(min(values)), abs(max(values)), 0.1)
    x, y = _FRAME.x(-reach, reach), _FRAME.y(0, 1)
    new = plain(c.name, 20)
    return h.figure[
        h.figcaption[f"Difference within pairs: {new} less {words.copy}"],
        _FRAME.chart(
            f"Distribution of the difference in latency within pairs, {new} less {words.copy}",
            _FRAME.axes(x, y, "difference of the two latencies of a request", _signed_ms, percent),
            _zero(x, y, new),
            line(_points(curve), x, y, "of-candidate"),
        ),
    ]


def _zero(x: Scale, y: Scale, new: str) -> Node:
    return [
        h.rect(".slower", x=at(x(0)), y=at(y.end), width=at(x.end - x(0)), height=at(y.start - y.end)),
        h.line(".same", x1=at(x(0)), x2=at(x(0)), y1=at(y.start), y2=at(y.end)),
        h.text(".side", x=at(x(0) + 6), y=at(y.start - 8))[f"{new} slower →"],
        h.text(".side", x=at(x(0) - 6), y=at(y.end + 14), text_anchor="end")[f"← {new} faster"],
    ]


def _points(curve: Curve) -> list[Point | None]:
    return [None if ms is None else (ms, share) for share, ms in curve]


def _ms(value: float) -> str:
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def _signed_ms(value: float) -> str:
    return _ms(0) if value == 0 else f"{'+' if value > 0 else '−'}{_ms(abs(value))}"


def _table(c: Candidate, words: Words) -> Node:
    t = c.latency_ms
    if not t.pairs:
        return h.p(".quiet")["No pair has two whole answers: there is no latency to compare."]
    names = _names(c)
    sides = {"production": t.production, "twin": t.twin or {}, "shadow": t.shadow}
    shown = [name for name in _QUANTILES if any(side.get(name) is not None for side in sides.values())]
    if not shown:
        return h.p(".quiet")[f"{t.pairs:,} pairs are too few for a quantile: 10 are needed for a median."]
    return h.div(".scroll")[
        h.table[
            h.caption[
                f"{t.pairs:,} pairs; a quantile needs five requests beyond it. Against {words.copy}",
                t.difference.get("low") is not None and _median(t.difference, t.difference_method),
                ".",
            ],
            h.thead[h.tr[h.td, (h.th(".n", scope="col")[_QUANTILES[name]] for name in shown)]],
            h.tbody[
                (
                    h.tr[
                        h.th(scope="row", class_=_ROLES[role])[names[role]],
                        (_cell(side.get(name), f"{role}.{name}" in t.infinite, words, "latency") for name in shown),
                    ]
                    for role, side in sides.items()
                    if side
                ),
                h.tr[
                    h.th(scope="row")["difference within pairs"],
                    (
                        _cell(
                            t.difference.get(name),
                            f"difference.{name}" in t.infinite,
                            words,
                            "latency_difference",
                            True,
                        )
                        for name in shown
                    ),
                ],
            ],
        ]
    ]


def _median(difference: Mapping[str, float | None], method: str) -> str:
    low, high = milliseconds(difference["low"], signed=True), milliseconds(difference["high"], signed=True)
    return f", the median difference lies between {low} and {high} ({method})"


def _cell(ms: float | None, is_infinite: bool, words: Words, title: str, signed: bool = False) -> Element:
    shown = milliseconds(float("inf") if is_infinite else ms, signed=signed)
    return h.td(".n")[h.span(title=words.title(title))[shown]]


def _stream(c: Candidate, s: Stream, words: Words) -> Node:
    names = _names(c)
    rows = [
        (f"{names[role]}, {what}", values)
        for what, of in (("to the first token", s.first_token_ms), ("per token", s.per_token_ms))
        for role, values in of.items()
        if role in names
    ]
    return [
        h.h4["Streams"],
        h.div(".scroll")[
            h.table[
                h.caption[f"{s.pairs:,} pairs of streams"],
                h.thead[h.tr[h.td, (h.th(".n", scope="col")[name] for name in _QUANTILES.values())]],
                h.tbody[
                    (
                        h.tr[
                            h.th(scope="row")[name], (_cell(values.get(q), False, words, "latency") for q in _QUANTILES)
                        ]
                        for name, values in rows
                    )
                ],
            ]
        ],
    ]
