"""A gate: one metric, one limit. The gates that hold where none are configured stand here as a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shadowproxy.stats import metrics
from shadowproxy.stats.metrics import Metric

EVERY = "*"  # a slice's value that stands for each of them

Part = tuple[str, str]  # a slice: (name, value)


@dataclass(frozen=True, slots=True)
class Gate:
    """`limit` in the metric's own unit: a fraction for pp and % (0.005 is 0.5 pp), a factor for x."""

    metric: str
    limit: float
    options: tuple[tuple[str, str], ...] = ()
    higher_is_better: bool = False  # the gate says `>=`; only a mean may

    def __post_init__(self) -> None:
        row = metrics.of(self.metric)
        if self.higher_is_better and row.better != metrics.STATED:
            raise ValueError(f"expected {self.metric}<=…, because less is better")
        if row.kind is metrics.Kind.RATIO and self.limit <= 0:
            raise ValueError(f"expected a limit above 0 for the ratio {self.metric}, there was {self.limit:g}")

    @property
    def of(self) -> Metric:
        return metrics.of(self.metric)

    @property
    def part(self) -> Part | None:
        """The slice that it is about; `EVERY` as value means each."""
        name, _, value = dict(self.options).get("slice", "").partition(":")
        return (name, value) if name else None

    @property
    def name(self) -> str:
        options = ",".join(f"{key}={value}" for key, value in self.options)
        return f"{self.metric}{{{options}}}" if options else self.metric

    @property
    def columns(self) -> tuple[str, ...]:
        """The evidence that it is made of: `slower{by=10%}`, `faster{by=10%}`, `timed` for slower_share{by=10%}."""
        row = self.of
        value = dict(self.options).get(row.option, row.default)
        if not row.option or value == row.default:
            return row.columns
        first, second, *rest = row.columns
        return (*(f"{name}{{{row.option}={value}}}" for name in (first, second)), *rest)

    @property
    def is_never(self) -> bool:
        """It fails at the first event."""
        return self.limit == 0 and self.of.never


SAME, SIMILAR, DIFFERENT = "same", "similar", "different"
TEXTS: Final = frozenset({"text", "embedding"})  # kinds of prediction that have similarity in place of agreement

# Limits by what is expected of the candidate; None is reported and not judged.
_ALWAYS: Final = {SAME: 0.005, SIMILAR: 0.005, DIFFERENT: 0.005}
_NEVER: Final = {SAME: 0.0, SIMILAR: 0.0, DIFFERENT: 0.0}
_TENTH: Final = {SAME: 0.1, SIMILAR: 0.1, DIFFERENT: None}
_DECIDES: Final = {SAME: 0.005, SIMILAR: 0.05, DIFFERENT: None}
_RESEMBLES: Final = {SAME: 0.02, SIMILAR: 0.05, DIFFERENT: None}

DEFAULTS: Final[Mapping[str, Mapping[str, float | None]]] = MappingProxyType(
    {
        "error_rate_increase": _ALWAYS,
        "nonfinite_increase": _NEVER,
        "slower_share": _TENTH,
        "first_token_slower_share": _TENTH,
        "per_token_slower_share": _TENTH,
        "excess_disagreement": _DECIDES,
        "disagreement": _DECIDES,
        "similarity_loss": _RESEMBLES,
    }
)


def defaults(expect: str, *, predictions: Collection[str], has_twin: bool, streams: bool) -> tuple[Gate, ...]:
    """The gates of `expect`. `predictions`: the kinds that the trial's routes have (`prediction.is`)."""
    names = _apply(frozenset(predictions), has_twin, streams)
    limits = ((name, DEFAULTS[name][expect]) for name in names)
    return tuple(Gate(name, limit) for name, limit in limits if limit is not None)


def _apply(predictions: frozenset[str], has_twin: bool, streams: bool) -> Iterator[str]:
    yield from ("error_rate_increase", "nonfinite_increase")
    yield from ("first_token_slower_share", "per_token_slower_share") if streams else ("slower_share",)
    if predictions - TEXTS or not predictions:
        yield "excess_disagreement" if has_twin else "disagreement"
    if predictions & TEXTS and has_twin:
        yield "similarity_loss"
