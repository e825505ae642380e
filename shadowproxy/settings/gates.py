"""Gate expressions: `METRIC[{option=value,…}] (<=|>=) NUMBER[%|pp|x|ms]`.

The table says which metrics there are, in which unit, and which options each takes; `parse_gate` looks things up in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shadowproxy.settings.problem import suggestion
from shadowproxy.settings.units import parse_duration, parse_share


@dataclass(frozen=True, slots=True)
class Metric:
    unit: str  # "pp", "%", "x", or "" for a number of its own
    options: tuple[str, ...] = ("slice",)


_PP: Final = Metric("pp")
_SHARE: Final = Metric("%")
_SLOWER: Final = Metric("pp", ("slice", "by"))
_RATIO: Final = Metric("x")

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "error_rate_increase": _PP,
        "timeout_increase": _PP,
        "nonfinite_increase": _PP,
        "difference": _SHARE,
        "disagreement": _SHARE,
        "item_disagreement": _SHARE,
        "timeout_rate": _SHARE,
        "nonfinite_rate": _SHARE,
        "excess_disagreement": _PP,
        "similarity_loss": Metric(""),
        "slower_share": _SLOWER,
        "first_token_slower_share": _SLOWER,
        "per_token_slower_share": _SLOWER,
        "slo_miss_increase": Metric("pp", ("slice", "over")),
        "latency_p50_ratio": _RATIO,
        "latency_p99_ratio": _RATIO,
        "accuracy_drop": _PP,
    }
)
_OF_COMPARISON: Final = Metric("*")  # mean(NAME): the metric's own unit, either direction

_EXPRESSION: Final = re.compile(
    r"\s*(?P<metric>mean\([A-Za-z0-9_.-]+\)|[A-Za-z0-9_]+)\s*(?:\{(?P<options>[^{}]*)\})?\s*"
    r"(?P<operator><=|>=)\s*(?P<number>-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))\s*(?P<unit>%|pp|x|ms)?\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Gate:
    """`limit` is a fraction for pp and % (0.005 = 0.5 pp), a factor for x, seconds for ms, else the bare number."""

    text: str
    metric: str
    options: tuple[tuple[str, str], ...]
    operator: str
    limit: float
    unit: str

    @property
    def judges(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What the gate is about. A candidate's gate replaces the global one that is about the same."""
        return self.metric, self.options


def parse_gate(text: str) -> Gate:
    """Raises ValueError with a sentence."""
    match = _EXPRESSION.fullmatch(text)
    if not match:
        raise ValueError(f"expected a gate such as error_rate_increase<=0.5pp, there was {text!r}")
    name = match["metric"]
    metric = _OF_COMPARISON if name.startswith("mean(") else METRICS.get(name)
    if metric is None:
        raise ValueError(f"expected one of the gate metrics, there was {name!r}{suggestion(name, METRICS)}")
    if metric is not _OF_COMPARISON and match["operator"] != "<=":
        raise ValueError(f"expected {name}<=…, because less is better; there was {text!r}")
    unit = _unit(name, metric, match)
    return Gate(text, name, _options(name, metric, match["options"]), match["operator"], _limit(match, unit), unit)


def _unit(name: str, metric: Metric, match: re.Match[str]) -> str:
    unit: str = match["unit"] or ""
    if metric is _OF_COMPARISON or unit == metric.unit:
        return unit
    number = match["number"]
    if not unit and (metric.unit == "x" or float(number) == 0):
        return metric.unit
    raise ValueError(
        f"expected a limit of {name} "
        + (f"in {metric.unit}" if metric.unit else "without a unit")
        + f", there was {number}{unit}; did you mean {number}{metric.unit}?"
    )


def _limit(match: re.Match[str], unit: str) -> float:
    return float(match["number"]) * {"%": 0.01, "pp": 0.01, "ms": 0.001}.get(unit, 1.0)


def _options(name: str, metric: Metric, written: str | None) -> tuple[tuple[str, str], ...]:
    options: dict[str, str] = {}
    for part in (written or "").split(",") if written else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or key in options:
            raise ValueError(f"expected {{option=value,…}} after {name}, each option once, there was {{{written}}}")
        if key not in (metric.options if metric is not _OF_COMPARISON else ("slice",)):
            known = ", ".join(metric.options)
            raise ValueError(
                f"expected an option of {name} ({known}), there was {key!r}{suggestion(key, metric.options)}"
            )
        _CHECKS[key](value)
        options[key] = value
    return tuple(sorted(options.items()))


def _slice(value: str) -> None:
    name, colon, _ = value.partition(":")
    if not name or not colon:
        raise ValueError(f"expected slice=NAME:VALUE, there was slice={value}")


_CHECKS: Final = {"slice": _slice, "by": parse_share, "over": parse_duration}


def gates_over(base: tuple[str, ...] | None, own: tuple[str, ...]) -> tuple[str, ...] | None:
    """The global gates with a candidate's laid over them. None (the defaults of `expect`) until any gate is given."""
    if not own:
        return base
    judged = {parse_gate(text).judges for text in own}
    return (*(text for text in base or () if parse_gate(text).judges not in judged), *own)
