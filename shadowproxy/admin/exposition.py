"""From the supervisor's totals to metric families. Names are the contract's (§7), with the prefix `shadowproxy_`.

No label is unbounded: a value is cut at MAX_VALUE characters, and beyond MAX_SERIES series of a metric everything is
counted under the value `other`, so that sums stay true. Every family is there from the start, and so are the counters
whose labels are closed sets, at 0 (`awaited.py`): a series that begins at 1 has no first increase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shadowproxy.settings.snapshot import Snapshot

from .awaited import at_zero, without_series
from .candidates import agreements, coverage, ledger_of, mirrors
from .judged import judged
from .metric_names import MAX_VALUE, PREFIX, help_of
from .reading import Reading
from .series import Labels, merge_gauges, parse

MAX_SERIES: Final = 1000
OTHER: Final = "other"


@dataclass(frozen=True, slots=True, eq=False)  # a registry keys its collectors by identity
class Totals(Collector):
    """One scrape: everything known at one moment."""

    reading: Reading

    def collect(self) -> Iterator[Metric]:
        told = set()
        for family in self._told():
            told.add(family.name)
            yield family
        yield from (family for family in without_series() if family.name not in told)

    def _told(self) -> Iterator[Metric]:
        reading = self.reading
        totals, children = reading.status["totals"], reading.status["children"]
        yield from _own(reading.status)
        yield from _settings(reading.snapshot)
        yield from _ratios(reading.snapshot, totals["counters"], reading.status["ledger"]["rows"])
        yield from judged(reading.verdicts)
        yield from _families(
            CounterMetricFamily, {f'deployments_total{{action="{name}"}}': n for name, n in reading.deployments.items()}
        )
        yield from _families(CounterMetricFamily, {**at_zero(reading.snapshot), **totals["counters"]})
        yield from _families(GaugeMetricFamily, merge_gauges(child["gauges"] for child in children))
        yield from _histograms(totals["histograms"])


def _own(status: Mapping[str, Any]) -> Iterator[Metric]:
    build = GaugeMetricFamily(PREFIX + "build_info", help_of("build_info"), labels=["version"])
    build.add_metric([status["version"]], 1)
    yield build
    for name, value in (
        ("ready", float(status["readiness"]["ready"])),
        ("generation", status["generation"]),
        ("start_time_seconds", status["started_ms"] / 1000),
    ):
        yield GaugeMetricFamily(PREFIX + name, help_of(name), value=value)
    restarts = CounterMetricFamily(PREFIX + "process_restarts", help_of("process_restarts_total"), labels=["role"])
    for role in sorted({child["role"] for child in status["children"]}):
        restarts.add_metric([role], sum(c["restarts"] for c in status["children"] if c["role"] == role))
    yield restarts


def _ratios(snapshot: Snapshot, counters: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    covered = {mirror.name: coverage(ledger_of(mirror, rows)) for mirror in mirrors(snapshot)}
    known = {name: share for name, share in covered.items() if share is not None}
    for name, shares in (("coverage_ratio", known), ("agreement_ratio", agreements(mirrors(snapshot), counters))):
        family = GaugeMetricFamily(PREFIX + name, help_of(name), labels=["candidate"])
        for candidate, share in shares.items():
            family.add_metric([candidate[:MAX_VALUE]], share)
        yield family


def _settings(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily(PREFIX + "log_limit_bytes", help_of("log_limit_bytes"), value=snapshot.pairs.keep.size)
    sample = GaugeMetricFamily(PREFIX + "sample_ratio", help_of("sample_ratio"), labels=["candidate"])
    for mirror in mirrors(snapshot):
        sample.add_metric([mirror.name[:MAX_VALUE]], 0.0 if mirror.paused else mirror.sample)
    yield sample


def _families(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily], series: Mapping[str, float]
) -> Iterator[Metric]:
    for name, rows in _grouped(series).items():
        family = kind(PREFIX + name, help_of(name), labels=_names(rows))
        sums: dict[Labels, float] = {}
        for labels, value in _capped(rows):
            sums[labels] = sums.get(labels, 0.0) + value
        for labels, value in sums.items():
            family.add_metric([text for _, text in labels], value)
        yield family


def _histograms(series: Mapping[str, Sequence[Any]]) -> Iterator[Metric]:
    """Counts per bucket become cumulative ones. Beyond MAX_SERIES series are left out: buckets may differ."""
    for name, rows in _grouped(series).items():
        family = HistogramMetricFamily(PREFIX + name, help_of(name), labels=_names(rows))
        for labels, (bounds, counts, total) in rows[:MAX_SERIES]:
            running, buckets = 0, []
            for bound, count in zip([*(repr(float(b)) for b in bounds), "+Inf"], counts, strict=True):
                running += count
                buckets.append((bound, float(running)))
            family.add_metric([text[:MAX_VALUE] for _, text in labels], buckets, total)
        yield family


def _grouped(series: Mapping[str, Any]) -> dict[str, list[tuple[Labels, Any]]]:
    """By name, in a steady order. A series with other labels than the first of its name cannot be told and is not.

    What is counted by trial is told without it: each trial would be a label's value that stays.
    """
    groups: dict[str, list[tuple[Labels, Any]]] = {}
    for key in sorted(series):
        parsed = parse(key)
        if parsed is None:
            continue
        name, labels = parsed[0], tuple(pair for pair in parsed[1] if pair[0] != "trial")
        rows = groups.setdefault(name, [])
        if not rows or [label for label, _ in labels] == _names(rows):
            rows.append((labels, series[key]))
    return groups


def _capped(rows: Iterable[tuple[Labels, float]]) -> Iterator[tuple[Labels, float]]:
    for number, (labels, value) in enumerate(rows):
        yield tuple((name, text[:MAX_VALUE] if number < MAX_SERIES else OTHER) for name, text in labels), value


def _names(rows: Sequence[tuple[Labels, Any]]) -> list[str]:
    return [name for name, _ in rows[0][0]]
