"""What has not happened yet: counters at 0 where their labels are closed sets, and families that have no series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from shadowproxy.core.outcome import DROPPED, OUTCOMES, UNLOGGED
from shadowproxy.settings.snapshot import Snapshot

from .candidates import mirrors
from .metric_names import HELP, PREFIX

MIRRORS: Final = 32  # that have counters at 0; with more of them each series begins when it counts
RESULTS: Final = ("same", "different", "incomparable")
_HISTOGRAMS: Final = frozenset(
    {"request_duration_seconds", "overhead_seconds", "upstream_duration_seconds", "first_token_seconds"}
)
_OF_MIRRORS: Final = (("mirrored_total", "outcome", OUTCOMES), ("mirror_dropped_total", "reason", DROPPED))


def at_zero(snapshot: Snapshot) -> dict[str, float]:
    """Series as processes name them, each 0."""
    series = [f'pairs_unlogged_total{{reason="{reason}"}}' for reason in UNLOGGED if reason]
    for mirror in mirrors(snapshot)[:MIRRORS]:
        for name, label, values in _OF_MIRRORS:
            series += [f'{name}{{candidate="{mirror.name}",{label}="{value}"}}' for value in values if value]
    for candidate in snapshot.candidates[:MIRRORS]:  # a twin has no pairs of its own
        series += [f'pairs_total{{candidate="{candidate.name}",result="{result}"}}' for result in RESULTS]
    return dict.fromkeys(series, 0.0)


def without_series() -> Iterator[Metric]:
    """Every family that there is, with its kind and what it says."""
    for name, text in HELP.items():
        if name.endswith("_total"):
            yield CounterMetricFamily(PREFIX + name, text)
        elif name in _HISTOGRAMS:
            yield HistogramMetricFamily(PREFIX + name, text)
        else:
            yield GaugeMetricFamily(PREFIX + name, text)
