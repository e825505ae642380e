"""What happened when: disagreement with the noise beside it, errors and medians, over the trial's time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import htpy as h
from htpy import Node

from shadowproxy.report.html.svg import Frame, Point, band, key, line
from shadowproxy.report.record import Candidate, Moment
from shadowproxy.report.screen import Words
from shadowproxy.report.words import duration, percent, plain
from shadowproxy.stats import one_look

_FRAME: Final = Frame(height=210)
_ALPHA: Final = 0.05
_DAY_S: Final = 86400

Take = Callable[[Moment], float | None]


def course(c: Candidate, words: Words) -> Node:
    if len(c.timeline) < 2:
        return h.p(".quiet")["The trial is too short for a course: it lies within one stretch of time."]
    old, new = plain(c.production, 40), plain(c.name, 40)
    step = duration(c.timeline[0].seconds)
    return h.div(".charts")[
        _chart(
            c,
            f"Share of requests that {new} decides differently, in stretches of {step}",
            percent,
            {"of-candidate": lambda m: m.disagreement, "of-twin": lambda m: m.noise},
            {"of-candidate": f"{new} against {old}", "of-twin": f"{old}'s copy against {old}: the noise"},
            with_band=True,
        ),
        _chart(
            c,
            f"Share of requests on which a side failed, in stretches of {step}",
            percent,
            {"of-candidate": lambda m: m.candidate_errors, "of-production": lambda m: m.reference_errors},
            {"of-candidate": new, "of-production": words.copy},
        ),
        _chart(
            c,
            f"Median latency, in stretches of {step}",
            lambda ms: f"{ms:g} ms",
            {"of-candidate": lambda m: m.candidate_p50_ms, "of-production": lambda m: m.reference_p50_ms},
            {"of-candidate": new, "of-production": words.copy},
        ),
    ]


def _chart(
    c: Candidate,
    caption: str,
    y_tick: Callable[[float], str],
    takes: dict[str, Take],
    names: dict[str, str],
    *,
    with_band: bool = False,
) -> Node:
    takes = {of: take for of, take in takes.items() if any(take(m) is not None for m in c.timeline)}
    if not takes:
        return None
    bounds = _bounds(c.timeline) if with_band else []
    values = [value for take in takes.values() for m in c.timeline if (value := take(m)) is not None]
    # The band of a stretch with few requests may reach far: the chart is scaled to the shares themselves.
    y = _FRAME.y(0, max(1.6 * max(values), 1e-3) if with_band else max(1.15 * max(values), 1e-3))
    start, end = _time(c.timeline[0]), _time(c.timeline[-1]) + c.timeline[-1].seconds
    x = _FRAME.x(start, end)
    return h.figure[
        h.figcaption[caption],
        _FRAME.chart(
            caption,
            _FRAME.axes(x, y, "time of arrival, UTC", _clock(end - start), y_tick, _moments(start, end)),
            band(bounds, x, y, "of-candidate"),
            (line(_points(c.timeline, take), x, y, of) for of, take in reversed(takes.items())),
        ),
        h.p(".keys")[
            (key(of, names[of]) for of in takes),
            h.span(".quiet.small")["Shaded: the 95 % interval of each stretch by itself."] if bounds else None,
        ],
    ]


def _bounds(timeline: Sequence[Moment]) -> list[tuple[float, float, float]]:
    found = [m for m in timeline if m.disagreement is not None and m.decided]
    shares = [m.disagreement or 0.0 for m in found]
    trials = [m.decided for m in found]
    low, high = one_look.rate([round(s * n) for s, n in zip(shares, trials, strict=True)], trials, _ALPHA)
    return [(_middle(m), float(a), float(b)) for m, a, b in zip(found, low, high, strict=True)]


def _points(timeline: Sequence[Moment], take: Take) -> list[Point | None]:
    """Stretches without a value, or missing altogether, break the line."""
    points: list[Point | None] = []
    last: Moment | None = None
    for m in timeline:
        value = take(m)
        if last is not None and _time(m) - _time(last) > 1.5 * m.seconds:
            points.append(None)
        points.append(None if value is None else (_middle(m), value))
        last = m
    return points


def _time(m: Moment) -> float:
    return datetime.fromisoformat(m.from_).timestamp()


def _middle(m: Moment) -> float:
    return _time(m) + m.seconds / 2


def _clock(span_s: float) -> Callable[[float], str]:
    form = "%m-%d %H:%M" if span_s > _DAY_S else "%H:%M:%S" if span_s < 300 else "%H:%M"
    return lambda at_s: datetime.fromtimestamp(at_s, UTC).strftime(form)


_ROUND_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, _DAY_S)


def _moments(start_s: float, end_s: float) -> list[float]:
    """Round times of day, about four."""
    wanted = (end_s - start_s) / 4
    step = next((step for step in _ROUND_S if step >= wanted), _DAY_S * max(1, round(wanted / _DAY_S)))
    first = -(-start_s // step) * step
    return [first + number * step for number in range(int((end_s - first) // step) + 1)]
