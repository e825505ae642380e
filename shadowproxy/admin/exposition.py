"""From the supervisor's totals to metric families. Names are the contract's (§7), with the prefix `shadowproxy_`.

No label is unbounded: a value is cut at MAX_VALUE characters, and beyond MAX_SERIES series of a metric everything is
counted under the value `other`, so that sums stay true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shadowproxy.settings.snapshot import Snapshot

from .candidates import agreements, coverage, ledger_of, mirrors
from .series import Labels, merge_gauges, parse

PREFIX: Final = "shadowproxy_"
MAX_SERIES: Final = 1000
MAX_VALUE: Final = 128
OTHER: Final = "other"

HELP: Final[Mapping[str, str]] = {
    "requests_total": "Requests answered, by route and status code.",
    "request_duration_seconds": "From a request's first byte to its answer's last.",
    "overhead_seconds": "Time a request spent in the proxy itself.",
    "upstream_duration_seconds": "From an exchange's start to its end, by upstream and role.",
    "mirrored_total": "Copies that ended, by candidate and outcome.",
    "mirror_dropped_total": "Copies that were wanted and not sent, by candidate and reason.",
    "mirror_in_flight": "Copies under way.",
    "mirror_buffered_bytes": "Bytes held for mirroring and recording.",
    "connections": "Client connections.",
    "tunnels": "WebSocket tunnels.",
    "gc_pause_seconds": "The longest last garbage collection of a worker.",
    "loop_lag_seconds": "How late the slowest worker's event loop is.",
    "pairs_total": "Pairs recorded, by candidate and result of the comparison.",
    "pairs_agree_total": "Pairs in which the candidate decided as production did.",
    "pairs_decided_total": "Pairs in which it is known whether the decisions agree.",
    "pairs_unlogged_total": "Pairs that finished and are not in the log, by reason.",
    "log_bytes": "Size of the pair log.",
    "agreement_ratio": "Share of decided pairs in which the candidate decided as production did.",
    "coverage_ratio": "Share of the pairs that the candidate should have had that are in the log.",
    "build_info": "Always 1; the version is a label.",
    "ready": "Whether requests may be sent here.",
    "generation": "How many configurations have taken effect.",
    "process_restarts_total": "Processes that had to be replaced, by role.",
    "start_time_seconds": "When the proxy was started, in seconds since 1970.",
}


@dataclass(frozen=True, slots=True, eq=False)  # a registry keys its collectors by identity
class Totals(Collector):
    """One scrape: everything known at one moment."""

    snapshot: Snapshot
    status: Mapping[str, Any]

    def collect(self) -> Iterator[Metric]:
        totals, children = self.status["totals"], self.status["children"]
        yield from _own(self.status)
        yield from _ratios(self.snapshot, totals["counters"], self.status["ledger"]["rows"])
        yield from _families(CounterMetricFamily, totals["counters"])
        yield from _families(GaugeMetricFamily, merge_gauges(child["gauges"] for child in children))
        yield from _histograms(totals["histograms"])


def _own(status: Mapping[str, Any]) -> Iterator[Metric]:
    build = GaugeMetricFamily(PREFIX + "build_info", _help("build_info"), labels=["version"])
    build.add_metric([status["version"]], 1)
    yield build
    for name, value in (
        ("ready", float(status["readiness"]["ready"])),
        ("generation", status["generation"]),
        ("start_time_seconds", status["started_ms"] / 1000),
    ):
        yield GaugeMetricFamily(PREFIX + name, _help(name), value=value)
    restarts = CounterMetricFamily(PREFIX + "process_restarts", _help("process_restarts_total"), labels=["role"])
    for role in sorted({child["role"] for child in status["children"]}):
        restarts.add_metric([role], sum(c["restarts"] for c in status["children"] if c["role"] == role))
    yield restarts


def _ratios(snapshot: Snapshot, counters: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    covered = {mirror.name: coverage(ledger_of(mirror, rows)) for mirror in mirrors(snapshot)}
    known = {name: share for name, share in covered.items() if share is not None}
    for name, shares in (("coverage_ratio", known), ("agreement_ratio", agreements(counters))):
        family = GaugeMetricFamily(PREFIX + name, _help(name), labels=["candidate"])
        for candidate, share in shares.items():
            family.add_metric([candidate[:MAX_VALUE]], share)
        yield family


def _families(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily], series: Mapping[str, float]
) -> Iterator[Metric]:
    for name, rows in _grouped(series).items():
        family = kind(PREFIX + name, _help(name), labels=_names(rows))
        sums: dict[Labels, float] = {}
        for labels, value in _capped(rows):
            sums[labels] = sums.get(labels, 0.0) + value
        for labels, value in sums.items():
            family.add_metric([text for _, text in labels], value)
        yield family


def _histograms(series: Mapping[str, Sequence[Any]]) -> Iterator[Metric]:
    """Counts per bucket become cumulative ones. Beyond MAX_SERIES series are left out: buckets may differ."""
    for name, rows in _grouped(series).items():
        family = HistogramMetricFamily(PREFIX + name, _help(name), labels=_names(rows))
        for labels, (bounds, counts, total) in rows[:MAX_SERIES]:
            running, buckets = 0, []
            for bound, count in zip([*(repr(float(b)) for b in bounds), "+Inf"], counts, strict=True):
                running += count
                buckets.append((bound, float(running)))
            family.add_metric([text[:MAX_VALUE] for _, text in labels], buckets, total)
        yield family


def _grouped(series: Mapping[str, Any]) -> dict[str, list[tuple[Labels, Any]]]:
    """By name, in a steady order. A series with other labels than the first of its name cannot be told and is not."""
    groups: dict[str, list[tuple[Labels, Any]]] = {}
    for key in sorted(series):
        parsed = parse(key)
        if parsed is None:
            continue
        name, labels = parsed
        rows = groups.setdefault(name, [])
        if not rows or [label for label, _ in labels] == _names(rows):
            rows.append((labels, series[key]))
    return groups


def _capped(rows: Iterable[tuple[Labels, float]]) -> Iterator[tuple[Labels, float]]:
    for number, (labels, value) in enumerate(rows):
        yield tuple((name, text[:MAX_VALUE] if number < MAX_SERIES else OTHER) for name, text in labels), value


def _names(rows: Sequence[tuple[Labels, Any]]) -> list[str]:
    return [name for name, _ in rows[0][0]]


def _help(name: str) -> str:
    return HELP.get(name, name.replace("_", " ").capitalize() + ".")
