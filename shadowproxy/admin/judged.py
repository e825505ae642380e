"""What is judged, as metric families: a candidate's verdict, its gates' figures, its trial's start.

Figures are in the unit of the gate's limit, shares as fractions (0.005 is 0.5 %). What is not known has no series: a
gate that bounds nothing yet has a state and no `low`. A candidate that is not judged has no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from .metric_names import MAX_VALUE, PREFIX, help_of
from .verdicts import Records

STATES: Final = ("PASS", "FAIL", "INCONCLUSIVE")
FIGURES: Final = ("estimate", "low", "high", "limit")


def judged(verdicts: Records) -> Iterator[Metric]:
    yield from _states(verdicts)
    yield from _figures(verdicts)
    yield _starts(verdicts)


def _states(verdicts: Records) -> Iterator[Metric]:
    verdict = _family("verdict", "candidate", "state")
    gates = _family("gate_state", "candidate", "gate", "state")
    for name, record in verdicts.items():
        for state in STATES if record.get("verdict") is not None else ():
            verdict.add_metric([name[:MAX_VALUE], state], float(record["verdict"] == state))
        for gate in record.get("gates") or ():
            for state in STATES:
                gates.add_metric([name[:MAX_VALUE], _name(gate), state], float(gate["verdict"] == state))
    yield verdict
    yield gates


def _figures(verdicts: Records) -> Iterator[Metric]:
    for figure in FIGURES:
        family = _family(f"gate_{figure}", "candidate", "gate")
        for name, record in verdicts.items():
            for gate in record.get("gates") or ():
                if gate.get(figure) is not None:
                    family.add_metric([name[:MAX_VALUE], _name(gate)], float(gate[figure]))
        yield family


def _starts(verdicts: Records) -> Metric:
    family = _family("trial_start_timestamp_seconds", "candidate")
    for name, record in verdicts.items():
        since = began(record)
        if since is not None:
            family.add_metric([name[:MAX_VALUE]], since)
    return family


def began(record: Mapping[str, Any]) -> float | None:
    """When the trial's first pair arrived, in seconds since 1970."""
    first = (record.get("window") or {}).get("from")
    return datetime.fromisoformat(first).timestamp() if first else None


def _family(name: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, help_of(name), labels=labels)


def _name(gate: Mapping[str, Any]) -> str:
    return str(gate["name"])[:MAX_VALUE]
