"""Scales, ticks, lines and axes of inline SVG. Looks are classes of `report.css`; nothing here carries a style."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import htpy as h
from htpy import Element, Node

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 26, 10, 36

Point = tuple[float, float]


def at(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` … `high` to `start` … `end`; values beyond are drawn at the edge."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._bent(self.low), self._bent(self.high)
        share = (self._bent(value) - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def _bent(self, value: float) -> float:
        return math.log(max(value, 1e-9)) if self.is_log else value

    def ticks(self, most: int = 5) -> list[float]:
        return list(_powers(self.low, self.high, most) if self.is_log else _evenly(self.low, self.high, most))


def _evenly(low: float, high: float, most: int) -> Iterator[float]:
    if high <= low:
        yield low
        return
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    number = math.ceil(low / step - 1e-9)
    while number * step <= high + step * 1e-9:
        yield number * step
        number += 1


def _powers(low: float, high: float, most: int) -> Iterator[float]:
    """1, 2, 5, 10 … thinned to what fits."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    inside = [tick for tick in every if low <= tick <= high]
    yield from inside if len(inside) <= most + 2 else inside[:: math.ceil(len(inside) / (most + 1))]


@dataclass(frozen=True, slots=True)
class Frame:
    """The area of a chart within its axes."""

    width: int = 460
    height: int = 250

    def x(self, low: float, high: float, *, is_log: bool = False) -> Scale:
        return Scale(low, high, _LEFT, self.width - _RIGHT, is_log)

    def y(self, low: float, high: float) -> Scale:
        return Scale(low, high, self.height - _BOTTOM, _TOP)

    def chart(self, label: str, *inside: Node) -> Element:
        return h.svg(".chart", viewBox=f"0 0 {self.width} {self.height}", role="img")[h.title[label], list(inside)]

    def axes(
        self,
        x: Scale,
        y: Scale,
        x_name: str,
        x_tick: Callable[[float], str],
        y_tick: Callable[[float], str],
        x_ticks: Sequence[float] | None = None,
    ) -> Node:
        bottom = y.start
        return h.g(".axes")[
            (
                [
                    h.line(".grid", x1=at(x.start), x2=at(x.end), y1=at(y(tick)), y2=at(y(tick))),
                    h.text(x=at(x.start - 6), y=at(y(tick) + 4), text_anchor="end")[y_tick(tick)],
                ]
                for tick in y.ticks(4)
            ),
            (
                [
                    h.line(".tick", x1=at(x(tick)), x2=at(x(tick)), y1=at(bottom), y2=at(bottom + 4)),
                    h.text(x=at(x(tick)), y=at(bottom + 17), text_anchor="middle")[x_tick(tick)],
                ]
                for tick in (x.ticks() if x_ticks is None else x_ticks)
            ),
            h.line(".base", x1=at(x.start), x2=at(x.end), y1=at(bottom), y2=at(bottom)),
            h.text(".name", x=at((x.start + x.end) / 2), y=at(self.height - 4), text_anchor="middle")[x_name],
        ]


def line(points: Iterable[Point | None], x: Scale, y: Scale, of: str) -> Element:
    """A line that breaks where a point is None; a point between two breaks is a dot."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(point)
    drawn = [[f"{at(x(a))} {at(y(b))}" for a, b in piece] for piece in pieces if piece]
    steps = ["M" + "L".join(piece if len(piece) > 1 else [piece[0], piece[0]]) for piece in drawn]
    return h.path(class_=f"line {of}", d="".join(steps))


def band(points: Iterable[tuple[float, float, float]], x: Scale, y: Scale, of: str) -> Element | None:
    """An area between two lines: (x, low, high)."""
    found = list(points)
    if len(found) < 2:
        return None
    there = [f"{at(x(a))} {at(y(high))}" for a, _, high in found]
    back = [f"{at(x(a))} {at(y(low))}" for a, low, _ in reversed(found)]
    return h.path(class_=f"band {of}", d="M" + "L".join(there + back) + "Z")


def key(of: str, name: str) -> Element:
    """An entry of a legend: the line as it is drawn, and its name."""
    sample = h.svg(".sample", viewBox="0 0 28 10", aria_hidden="true")[h.path(class_=f"line {of}", d="M1 5L27 5")]
    return h.span(".key")[sample, name]
