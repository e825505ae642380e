"""Each gate with its interval drawn against its limit, and the self-check below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import htpy as h
from htpy import Element, Node

from shadowproxy.report.html.first import number, stamp
from shadowproxy.report.html.svg import Scale, at
from shadowproxy.report.record import Candidate, Gate, Needed
from shadowproxy.report.screen import Words
from shadowproxy.report.words import bounds, duration, limit_in, plain

_WIDTH, _HEIGHT, _MIDDLE = 280, 30, 15.0
_FARTHEST: Final = 8.0  # times the limit: an end beyond is drawn as going on


def gates(c: Candidate, words: Words) -> Node:
    if not c.gates:
        return h.p(".quiet")["Nothing was judged: no gates are set."]
    return [_table(c.gates, words), _self_check(c, words)]


def _self_check(c: Candidate, words: Words) -> Node:
    if c.self_check is None:
        return None
    return [
        h.h4["Self-check: ", c.self_check.sentence],
        _table(c.self_check.gates, words) if c.self_check.gates else None,
    ]


def _table(found: list[Gate], words: Words) -> Element:
    return h.table(".gates.stack")[
        h.thead[h.tr[(h.th(scope="col")[name] for name in ("gate", "estimate and interval", "", "limit", "verdict"))]],
        h.tbody[(_row(gate, words, part) for gate, part in _with_parts(found))],
    ]


def _with_parts(found: list[Gate]) -> Iterator[tuple[Gate, bool]]:
    for gate in found:
        yield gate, False
        yield from ((part, True) for part in gate.parts)


def _row(gate: Gate, words: Words, is_part: bool) -> Element:
    limit = f"{gate.operator.replace('<=', '≤').replace('>=', '≥')} {limit_in(gate.limit, gate.unit)}"
    name = plain(gate.value, 60) if is_part and gate.value is not None else plain(gate.title, 60)
    return h.tr(class_="part" if is_part else "")[
        h.th(scope="row", title=gate.about)[name, h.span(".small.quiet.of-name")[plain(gate.name, 80)]],
        h.td(".n", data_label="estimate")[
            number(words.judged(gate)), h.span(".small.quiet.of-name")[f"n = {gate.n:,}"]
        ],
        h.td(".drawn")[interval(gate)],
        h.td(".n", data_label="limit")[h.span(title=words.title("limit"))[limit]],
        h.td(".of-verdict")[
            stamp(gate.verdict), h.span(".small.quiet.of-name")[plain(gate.explanation, 300), _needed(gate.needed)]
        ],
    ]


def _needed(needed: Needed | None) -> str:
    return f" · about {needed.more:,} more, {duration(needed.seconds)} at the present rate" if needed else ""


def interval(gate: Gate) -> Element:
    """Zero (for a ratio: one), the limit with what lies beyond it shaded, the interval, and the estimate as a dot."""
    same = 1.0 if gate.unit == "x" else 0.0
    x = _scale(gate, same)
    limit, worse = x(gate.limit), gate.operator == "<="
    beyond = {"x": at(limit), "width": at(_WIDTH - limit)} if worse else {"x": "0", "width": at(limit)}
    return h.svg(class_=f"interval {gate.verdict}", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img")[
        h.title[f"{bounds(gate.estimate, gate.low, gate.high, gate.unit)}; limit {limit_in(gate.limit, gate.unit)}"],
        h.rect(".beyond", {**beyond, "y": "0", "height": str(_HEIGHT)}),
        h.line(".base", x1="0", x2=str(_WIDTH), y1=at(_MIDDLE), y2=at(_MIDDLE)),
        h.line(".same", x1=at(x(same)), x2=at(x(same)), y1="9", y2="21"),
        _ends(gate, x),
        h.line(".limit", x1=at(limit), x2=at(limit), y1="1", y2=str(_HEIGHT - 1)),
        gate.estimate is not None and h.circle(cx=at(x(gate.estimate)), cy=at(_MIDDLE), r="4.5"),
    ]


def _scale(gate: Gate, same: float) -> Scale:
    ends = [abs(end - same) for end in (gate.low, gate.high) if end is not None]
    estimate = gate.estimate if gate.estimate is not None else same
    reach = max(abs(gate.limit - same), abs(estimate - same)) or max(ends, default=0) or 1.0
    near = [
        end for end in (gate.low, gate.high, gate.estimate) if end is not None and abs(end - same) <= _FARTHEST * reach
    ]
    low, high = min([same, gate.limit, *near]), max([same, gate.limit, *near])
    pad = 0.12 * max(high - low, reach)
    return Scale(low - pad, high + pad, 2, _WIDTH - 2)


def _ends(gate: Gate, x: Scale) -> Node:
    """The interval as a bar; an end that is not known yet, or far away, is dashed to the edge."""
    if gate.low is None and gate.high is None:
        return None
    left = x.start if gate.low is None else x(gate.low)
    right = x.end if gate.high is None else x(gate.high)
    return [
        h.line(
            class_="bar" if None not in (gate.low, gate.high) else "bar half",
            x1=at(left),
            x2=at(right),
            y1=at(_MIDDLE),
            y2=at(_MIDDLE),
        ),
        (
            h.line(".cap", x1=at(x(end)), x2=at(x(end)), y1="10", y2="20")
            for end in (gate.low, gate.high)
            if end is not None and x.low < end < x.high
        ),
    ]
