"""What can be gated: one row a metric, with its unit, its better direction, and what of the evidence it is made of.

The kinds, and how each is judged:

    DIFFERENCE   P(only the candidate) − P(only the reference): columns b, c, n      union of two sequences, burst rule
    RATE         a share of trials: columns s, n                                     beta-binomial sequence
    MEAN         Σx/Σn: columns x, n                                                 asymptotic, on buckets
    RATIO        a ratio of quantiles, as the mean of its logarithms over buckets    asymptotic, on merged buckets
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Kind(Enum):
    DIFFERENCE = "difference"
    RATE = "rate"
    MEAN = "mean"
    RATIO = "ratio"


class Group(Enum):
    ERRORS = "errors"
    OUTPUTS = "outputs"
    LATENCY = "latency"
    LABELS = "labels"


class Need(Enum):
    """What must be there before the metric can be judged at all."""

    TWIN = "twin"
    DECISION = "decision"  # pairs that say whether the decisions agree
    LABELS = "labels"
    LIVE = "live"  # both sides measured at the same time


LOWER, STATED = "lower", "stated"  # what is better: less, or as the gate says


@dataclass(frozen=True, slots=True)
class Metric:
    unit: str  # "pp", "%", "0-1", "x", or "own"
    group: Group
    kind: Kind
    columns: tuple[str, ...]
    better: str = LOWER
    needs: frozenset[Need] = frozenset()
    option: str = ""  # the option that changes what is counted, so that the first two columns carry it in their names
    default: str = ""  # the option's value that the bare columns stand for
    never: bool = False  # a limit of 0 means "not once"; else 0 is a limit like others
    lost: bool = False  # the worst case counts copies that were not sent because the candidate did not keep up
    stand_in: str = ""  # what bounds it from above where a need is not met
    quantile: float = 0.0
    is_clustered: bool = False  # one request is many trials
    of_answers: bool = False  # what an answer holds: compared with production's, whichever the reference is
    merge: int = 0  # pairs that a bucket must hold before it has this quantile

    @property
    def is_alike(self) -> bool:
        """Whether neighbouring trials resemble each other, so that only buckets are independent enough to count."""
        return self.group is Group.LATENCY or self.is_clustered

    @property
    def of_reference(self) -> bool:
        """Whether the self-check asks it of the twin: gates on errors and latency."""
        return self.group in (Group.ERRORS, Group.LATENCY)

    @property
    def by_reference(self) -> bool:
        """Errors and latency are compared with the twin where it covers; what answers hold always with production."""
        return self.of_reference and not self.of_answers


# Copies dropped as in_flight or breaker_open, by bucket of arrival. Optional: none are counted where it is missing.
LOST: Final = "lost"

_TWIN = frozenset({Need.TWIN})
_DECISION = frozenset({Need.DECISION})
_LIVE = frozenset({Need.LIVE})


def _events(*columns: str, unit: str = "pp", kind: Kind = Kind.DIFFERENCE) -> Metric:
    return Metric(unit, Group.ERRORS, kind, columns, never=True, lost=True)


def _nonfinite(*columns: str, unit: str = "pp", kind: Kind = Kind.DIFFERENCE) -> Metric:
    """A copy that was not sent has no number in it."""
    return Metric(unit, Group.ERRORS, kind, columns, never=True, of_answers=True)


def _slower(prefix: str) -> Metric:
    columns = (f"{prefix}slower", f"{prefix}faster", f"{prefix}timed")
    return Metric("pp", Group.LATENCY, Kind.DIFFERENCE, columns, needs=_LIVE, option="by", default="25%")


def _quantile(p: float, merge: int) -> Metric:
    sides = ("candidate_ms", "reference_ms")
    return Metric("x", Group.LATENCY, Kind.RATIO, sides, needs=_LIVE, quantile=p, merge=merge)


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "error_rate_increase": _events("only_candidate_bad", "only_reference_bad", "exchanges"),
        "timeout_increase": _events("only_candidate_timeouts", "only_reference_timeouts", "exchanges"),
        "nonfinite_increase": _nonfinite("only_candidate_nonfinite", "only_production_nonfinite", "exchanges"),
        "difference": Metric("%", Group.OUTPUTS, Kind.RATE, ("different", "comparable"), never=True),
        "disagreement": Metric("%", Group.OUTPUTS, Kind.RATE, ("disagreeing", "decided"), needs=_DECISION, never=True),
        "item_disagreement": Metric(
            "%",
            Group.OUTPUTS,
            Kind.RATE,
            ("items_disagreeing", "items"),
            needs=_DECISION,
            never=True,
            is_clustered=True,
        ),
        "timeout_rate": _events("candidate_timeouts", "exchanges", unit="%", kind=Kind.RATE),
        "nonfinite_rate": _nonfinite("candidate_nonfinite", "exchanges", unit="%", kind=Kind.RATE),
        "excess_disagreement": Metric(
            "pp",
            Group.OUTPUTS,
            Kind.DIFFERENCE,
            ("only_candidate_disagrees", "only_twin_disagrees", "triples"),
            needs=_TWIN | _DECISION,
            stand_in="disagreement",
        ),
        "similarity_loss": Metric(
            "0-1", Group.OUTPUTS, Kind.MEAN, ("similarity_lost", "similarity_triples"), needs=_TWIN
        ),
        "slower_share": _slower(""),
        "first_token_slower_share": _slower("first_token_"),
        "per_token_slower_share": _slower("per_token_"),
        "slo_miss_increase": Metric(
            "pp",
            Group.LATENCY,
            Kind.DIFFERENCE,
            ("only_candidate_misses", "only_reference_misses", "timed"),
            needs=_LIVE,
            option="over",
        ),
        "latency_p50_ratio": _quantile(0.5, 20),
        "latency_p99_ratio": _quantile(0.99, 500),
        "accuracy_drop": Metric(
            "pp",
            Group.LABELS,
            Kind.DIFFERENCE,
            ("good_to_bad", "bad_to_good", "labelled"),
            needs=frozenset({Need.LABELS}),
        ),
    }
)


def of(name: str) -> Metric:
    """The row of a metric; `mean(NAME)` is made to measure. Raises ValueError for what is no metric."""
    if name.startswith("mean(") and name.endswith(")"):
        inner = name[len("mean(") : -1]
        return Metric("own", Group.OUTPUTS, Kind.MEAN, (f"sum({inner})", f"count({inner})"), better=STATED)
    if name not in METRICS:
        raise ValueError(f"expected one of {', '.join(METRICS)} or mean(NAME), there was {name!r}")
    return METRICS[name]
