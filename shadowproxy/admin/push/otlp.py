"""Metrics by OpenTelemetry (the extra `otel`), as OTLP over HTTP.

Totals and buckets go out as they are, cumulative since the proxy's start: nothing is counted twice. A name loses what
OpenTelemetry says by its unit or kind: shadowproxy_request_duration_seconds is `shadowproxy.request_duration` in `s`,
shadowproxy_requests_total is `shadowproxy.requests`. Prometheus' own translation of OTLP gives the former names again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Iterator
from typing import Any, Final

import structlog
from prometheus_client.metrics_core import Metric

from shadowproxy import __version__
from shadowproxy.admin.exposition import Totals
from shadowproxy.admin.metric_names import PREFIX
from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Otel

EXPORT_S: Final = 5.0
_UNKNOWN: Final[Any] = None  # the least and the greatest: optional in OTLP, whatever the SDK's types say
_UNITS: Final = (("_timestamp_seconds", "s"), ("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1"))

_log = structlog.get_logger()


class OtlpPush:
    """Follows the readings. One export at a time, on a thread; a reading that comes meanwhile is left out."""

    def __init__(self) -> None:
        self._settings: Otel | None = None
        self._exporter: Any = None
        self._exporting: asyncio.Future[None] | None = None
        self._pushed_at = 0.0
        self._is_away = False
        self.sent = 0  # samples
        self.dropped = 0

    async def look(self, reading: Reading) -> None:
        settings = reading.snapshot.otel
        if settings != self._settings:
            await self.close()
            self._settings = settings
        if (
            settings is None
            or not settings.metrics
            or reading.is_within(reading.snapshot.metrics.every, self._pushed_at)
        ):
            return
        self._pushed_at = reading.at
        if self._exporting is None or self._exporting.done():
            self._exporting = asyncio.ensure_future(asyncio.to_thread(self._export, settings, reading))

    def _export(self, settings: Otel, reading: Reading) -> None:
        count = 0
        try:
            from opentelemetry.sdk.metrics.export import MetricExportResult

            if self._exporter is None:
                self._exporter = _exporter(settings)
            data, count = metrics_data(reading)
            is_away = self._exporter.export(data, timeout_millis=EXPORT_S * 1000) is not MetricExportResult.SUCCESS
            why = "the collector did not take them"
        except Exception as e:  # noqa: BLE001 - this thread's root: somebody else's code, and a network
            is_away, why = True, repr(e)
        if is_away:
            self.dropped += count
        else:
            self.sent += count
        if is_away != self._is_away:
            self._is_away = is_away
            if is_away:
                _log.warning("otel.away", to=settings.to, why=why)
            else:
                _log.info("otel.back", to=settings.to)

    def counters(self) -> dict[str, float]:
        if self._settings is None and not self.sent and not self.dropped:
            return {}
        return {
            'pushed_total{to="otel_metrics"}': self.sent,
            'push_dropped_total{to="otel_metrics"}': self.dropped,
        }

    async def close(self) -> None:
        if self._exporting is not None:
            await asyncio.wait((self._exporting,), timeout=EXPORT_S)
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            await asyncio.to_thread(exporter.shutdown)


def _exporter(settings: Otel) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    # It tells of each failed try; what follows from it is told here, once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    return OTLPMetricExporter(f"{settings.to}/v1/metrics", headers=dict(settings.headers), timeout=EXPORT_S)


def metrics_data(reading: Reading) -> tuple[Any, int]:
    """(the SDK's MetricsData, how many points it holds)"""
    from opentelemetry.sdk.metrics import export as sdk
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    start_ns, now_ns = reading.status["started_ms"] * 1_000_000, int(reading.at * 1e9)
    metrics = []
    count = 0
    for family in Totals(reading).collect():
        points = list(_points(sdk, family, start_ns, now_ns))
        if points:
            count += len(points)
            name, unit = named(family.name.removeprefix(PREFIX))
            metrics.append(sdk.Metric(f"shadowproxy.{name}", family.documentation, unit, _data(sdk, family, points)))
    resource = Resource.create(
        {"service.name": "shadowproxy", "service.version": __version__, "host.name": socket.gethostname()}
    )
    scope = sdk.ScopeMetrics(InstrumentationScope("shadowproxy", __version__), metrics, "")
    return sdk.MetricsData([sdk.ResourceMetrics(resource, [scope], "")]), count


def named(name: str) -> tuple[str, str]:
    """(name, unit)"""
    for ending, unit in _UNITS:
        if name.endswith(ending):
            return name.removesuffix("_seconds" if ending == "_timestamp_seconds" else ending), unit
    return name, ""


def _data(sdk: Any, family: Metric, points: list[Any]) -> Any:
    if family.type == "gauge":
        return sdk.Gauge(points)
    if family.type == "histogram":
        return sdk.Histogram(points, sdk.AggregationTemporality.CUMULATIVE)
    return sdk.Sum(points, sdk.AggregationTemporality.CUMULATIVE, True)


def _points(sdk: Any, family: Metric, start_ns: int, now_ns: int) -> Iterator[Any]:
    if family.type != "histogram":
        start = 0 if family.type == "gauge" else start_ns
        for one in family.samples:
            if math.isfinite(one.value):
                yield sdk.NumberDataPoint(dict(one.labels), start, now_ns, float(one.value))
        return
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for one in family.samples:
        labels = tuple((label, value) for label, value in one.labels.items() if label != "le")
        point = found.setdefault(labels, {"bounds": [], "counts": [], "sum": 0.0})
        if one.name.endswith("_bucket"):
            point["bounds"].append(float(one.labels["le"]))
            point["counts"].append(int(one.value))
        elif one.name.endswith("_sum"):
            point["sum"] = one.value
    for labels, point in found.items():
        totals = point["counts"]
        counts = [total - before for total, before in zip(totals, [0, *totals], strict=False)]
        bounds = [bound for bound in point["bounds"] if math.isfinite(bound)]
        yield sdk.HistogramDataPoint(
            dict(labels), start_ns, now_ns, totals[-1], point["sum"], counts, bounds, _UNKNOWN, _UNKNOWN
        )
