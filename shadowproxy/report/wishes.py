"""What a report is asked for, by a command line or a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shadowproxy.report.scope import Scope
from shadowproxy.settings.snapshot import Snapshot, Statistics
from shadowproxy.stats.facts import Terms


@dataclass(frozen=True, slots=True)
class Wishes:
    scope: Scope = field(default_factory=Scope)
    snapshot: Snapshot | None = None  # of `-c FILE`
    labels: Path | None = None
    labels_on: str = "key"
    examples: bool = True
    drawn: bool = True  # with what formats draw: curves, the course over time, classes against classes
    bodies: bool = False  # with pairs to look at: costs a second reading of the log
    gates: tuple[str, ...] = ()  # laid over those of the configuration
    expect: str | None = None
    final: bool = False  # one look at a closed log

    @property
    def terms(self) -> Terms:
        statistics = self.snapshot.statistics if self.snapshot else Statistics()
        return Terms(
            confidence=statistics.confidence,
            coverage=statistics.coverage,
            least_pairs=statistics.at_least.pairs,
            least_s=statistics.at_least.time,
            bucket_s=statistics.bucket,
        )

    @property
    def bucket_s(self) -> float:
        return self.terms.bucket_s

    @property
    def timeouts_s(self) -> dict[str, float | None]:
        return {c.name: c.timeout for c in self.snapshot.candidates} if self.snapshot else {}
