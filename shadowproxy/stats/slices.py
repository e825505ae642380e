"""Slices that nobody gated: looked at side by side, worst first, and flagged only when chance does not explain them.

Looking at sixty slices finds something in any of them. So each slice and metric gets an e-value, over buckets in which
the candidate did worse against those in which the reference did, and e-BH flags over all that were looked at: of what
is flagged, 5 % on average is chance. A flag never changes a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shadowproxy.stats import evalues, interval, metrics
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.gate import Part
from shadowproxy.stats.interval import Interval

LEAST_PAIRS: Final = 500
LOOKED_AT: Final = ("error_rate_increase", "excess_disagreement", "slower_share")  # differences, all of them


@dataclass(frozen=True, slots=True)
class Finding:
    part: Part
    metric: str
    interval: Interval
    e_value: float
    flagged: bool


def findings(slices: Mapping[Part, Evidence], terms: Terms, looked_at: Sequence[str] = LOOKED_AT) -> list[Finding]:
    """One for each slice with enough pairs and each metric that was counted there; the number of them is what
    "flagged among N looked at" means."""
    seen = [
        (part, name, evidence)
        for part, evidence in slices.items()
        for name in looked_at
        if evidence.total("pairs") >= LEAST_PAIRS and evidence.total(metrics.of(name).columns[2]) > 0
    ]
    logs = [_log_e(evidence, metrics.of(name).columns) for _, name, evidence in seen]
    flags = evalues.discoveries(logs, terms.alpha) if logs else np.zeros(0, dtype=np.bool_)
    found = [
        Finding(
            part,
            name,
            _interval(evidence, name, terms),
            evalues.e_value(log),
            bool(flag),
        )
        for (part, name, evidence), log, flag in zip(seen, logs, flags, strict=True)
    ]
    return sorted(found, key=lambda finding: (-finding.e_value, -(finding.interval.estimate or 0), finding.part))


def _interval(evidence: Evidence, name: str, terms: Terms) -> Interval:
    metric = metrics.of(name)
    b, c, n = metric.columns
    return interval.difference(evidence, b, c, n, terms, alike=metric.is_alike)


def _log_e(evidence: Evidence, columns: tuple[str, ...]) -> float:
    b, c = (evidence.column(name) for name in columns[:2])
    return float(evalues.log_one_sided(float((b > c).sum()), float((c > b).sum()))[0])
