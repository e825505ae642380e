"""Readings for those who push: the admin side's own, with totals that a test chooses."""

from __future__ import annotations

from typing import Any

import msgspec

from shadowproxy.admin.push.samples import Interval, Sample
from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Metrics
from tests.admin.status import SNAPSHOT, status


def reading(
    counters: dict[str, float] | None = None,
    histograms: dict[str, Any] | None = None,
    *,
    uptime_s: float = 3.0,
    at: float = 1000.0,
    metrics: Metrics | None = None,
) -> Reading:
    told = status(totals={"counters": counters or {}, "histograms": histograms or {}}, uptime_s=uptime_s)
    return Reading(msgspec.structs.replace(SNAPSHOT, metrics=metrics or Metrics()), told, {}, {}, at)


def grown(*readings: Reading) -> dict[tuple[str, Any], tuple[float, float]]:
    """Of the last reading, by name and labels: (value, what it grew by)."""
    interval = Interval()
    for one in readings:
        out = interval.advance(one)
    return {(sample.name, sample.labels): (sample.value, growth) for sample, growth in out}


def samples(count: int, value: float = 1.0) -> list[tuple[Sample, float]]:
    return [
        (Sample("requests_total", (("route", f"r{n:04}"), ("code", "200")), value, True), value) for n in range(count)
    ]
