"""A result as one page that needs nothing else: no script, no fetch; all text is escaped, which htpy sees to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import htpy as h
from htpy import Element, Node
from markupsafe import Markup

from shadowproxy.bench.ratio import Ratio
from shadowproxy.bench.result import Measured, Result
from shadowproxy.bench.text import lines, ms, value
from shadowproxy.bench.threshold import Check
from shadowproxy.pages import assets

STYLE: Final = "bench.css"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 736, 260, 56, 12, 10, 34
_STYLES: Final = 5  # of lines; a sixth address looks like the first

Point = tuple[float, float]


def page(result: Result, checks: Sequence[Check]) -> str:
    style = assets.text(assets.BASE_CSS) + assets.text(STYLE)
    policy = f"default-src 'none'; style-src {assets.source(style)}; base-uri 'none'; form-action 'none'"
    document = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(http_equiv="Content-Security-Policy", content=policy),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.title["shadowproxy bench · " + ", ".join(each.url for each in result.urls)],
            # Ours alone, and the policy knows its hash.
            h.style[Markup(style)],
        ],
        h.body[h.main[_sections(result, checks)]],
    ]
    return f"{document}\n"


def _sections(result: Result, checks: Sequence[Check]) -> Iterator[Node]:
    yield h.h1["Load and what came of it"]
    yield h.p[next(lines(result, ()))]
    yield _figures(result)
    for hint in result.hints:
        yield h.p[hint]
    if result.ratios:
        yield h.h2["Compared with the first, in turns"]
        yield _ratios(result)
    if checks:
        yield h.h2["Thresholds"]
        rows = [["met" if each.is_met else "missed", each.expression, value(each), each.url] for each in checks]
        yield _table(["", "threshold", "found", "address"], rows)
    yield h.h2["Latency by percentile"]
    yield _legend(result)
    yield _by_percentile(result)
    yield h.h2["Over time"]
    yield h.p["Median below, p99 above (fainter), by when the answers came; answers per second in the second chart."]
    yield _over_time(result)
    yield _rate(result)


def _figures(result: Result) -> Element:
    names = list(result.urls[0].latency_ms)
    rows = [_row(each.url, each, each.latency_ms) for each in result.urls]
    for each in result.urls:
        if each.stream is not None:
            rows.append(_row(f"{each.url}, first event", each, each.stream["first_token_ms"]))
            rows.append(_row(f"{each.url}, gaps", each, each.stream["gap_ms"]))
    return _table(["ms", *names, "answers/s", "failed"], rows)


def _row(name: str, each: Measured, figures: dict[str, float | None]) -> list[str]:
    failed = f"{each.failed:,} of {each.offered:,}"
    return [name, *(ms(number) for number in figures.values()), f"{each.rate_per_s:,.1f}", failed]


def _ratios(result: Result) -> Element:
    rows = [
        [each.url, ratio.metric, f"{ratio.estimate:.3f}", _interval(ratio)]
        for each, found in zip(result.urls[1:], result.ratios, strict=True)
        for ratio in found
    ]
    return _table(["address", "figure", "ratio", "95 % interval"], rows)


def _interval(ratio: Ratio) -> str:
    if ratio.low is None or ratio.high is None:
        return f"none from {ratio.rounds} rounds"
    return f"{ratio.low:.3f}–{ratio.high:.3f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Element:
    return h.table[
        h.thead[h.tr[(h.th[name] for name in columns)]],
        h.tbody[(h.tr[(h.td(class_="number" if k else None)[cell] for k, cell in enumerate(row))] for row in rows)],
    ]


def _legend(result: Result) -> Element:
    def sample(index: int) -> Element:
        return h.svg(width="34", height="10", viewBox="0 0 34 10")[_path(index, [(2, 5), (32, 5)])]

    return h.p[([sample(index), f" {each.url}  "] for index, each in enumerate(result.urls))]


# -- charts ------------------------------------------------------------------------------------------------------------


def _by_percentile(result: Result) -> Element:
    """Each step to the right halves the share of answers that are slower."""
    curves = [[(-math.log2(1 - share / 100), number) for share, number in each.percentiles] for each in result.urls]
    last = max((x for curve in curves for x, _ in curve), default=1.0)
    ticks = [(-math.log2(1 - share / 100), f"{share:g} %") for share in (50, 90, 99, 99.9, 99.99, 99.999)]
    return _chart("Latency by percentile, ms", curves, (1.0, max(2.0, last)), ticks, ms)


def _over_time(result: Result) -> Element:
    middles = [[(m.at_s, m.p50_ms) for m in each.over_time if m.p50_ms is not None] for each in result.urls]
    tails = [[(m.at_s, m.p99_ms) for m in each.over_time if m.p99_ms is not None] for each in result.urls]
    return _chart("Latency over time, ms", middles, *_seconds(result), ms, faint=tails)


def _rate(result: Result) -> Element:
    curves = [[(moment.at_s, moment.rate_per_s) for moment in each.over_time] for each in result.urls]
    return _chart("Answers per second", curves, *_seconds(result), lambda number: f"{number:,.0f}")


def _seconds(result: Result) -> tuple[tuple[float, float], list[Point | tuple[float, str]]]:
    whole = result.duration_s
    return (0.0, whole), [(whole * k / 4, f"{whole * k / 4:g} s") for k in range(5)]


def _chart(
    label: str,
    curves: Sequence[Sequence[Point]],
    span: tuple[float, float],
    ticks: Sequence[tuple[float, object]],
    written: Callable[[float], str],
    faint: Sequence[Sequence[Point]] = (),
) -> Element:
    top = max((y for curve in (*curves, *faint) for _, y in curve), default=0.0) or 1.0

    def x(number: float) -> float:
        return _LEFT + (number - span[0]) / (span[1] - span[0]) * (_WIDTH - _LEFT - _RIGHT)

    def y(number: float) -> float:
        return _HEIGHT - _BOTTOM - number / top * (_HEIGHT - _BOTTOM - _TOP)

    def placed(curve: Sequence[Point]) -> list[Point]:
        return [(x(a), y(b)) for a, b in curve]

    return h.figure[
        h.svg(viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label)[
            (_level(y(top * k / 4), written(top * k / 4)) for k in range(5)),
            (_tick(x(at), str(name)) for at, name in ticks if span[0] <= at <= span[1]),
            (_path(index, placed(curve), "faint") for index, curve in enumerate(faint)),
            (_path(index, placed(curve)) for index, curve in enumerate(curves)),
        ],
        h.figcaption[label],
    ]


def _level(at: float, name: str) -> Node:
    return [
        h.line(class_="grid", x1=str(_LEFT), x2=str(_WIDTH - _RIGHT), y1=f"{at:.1f}", y2=f"{at:.1f}"),
        h.text(x=str(_LEFT - 6), y=f"{at + 4:.1f}", text_anchor="end")[name],
    ]


def _tick(at: float, name: str) -> Node:
    return [
        h.line(class_="grid", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=str(_TOP), y2=str(_HEIGHT - _BOTTOM)),
        h.text(x=f"{at:.1f}", y=str(_HEIGHT - _BOTTOM + 16), text_anchor="middle")[name],
    ]


def _path(index: int, points: Sequence[Point], more: str = "") -> Element:
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return h.polyline(class_=f"line s{index % _STYLES} {more}".strip(), points=joined)
