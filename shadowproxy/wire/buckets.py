"""The buckets of every duration that is counted, wherever it is counted: only equal ones can be added up."""

from __future__ import annotations

from typing import Final

# OpenTelemetry's buckets for HTTP durations, and finer ones below, for the proxy's own time.
BUCKETS_S: Final = [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5,
    5.0, 7.5, 10.0,
]  # fmt: skip
