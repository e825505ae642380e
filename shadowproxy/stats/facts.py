"""What judging must be told beside the counts: the terms of the statistics, and facts about the trial."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """The configuration's `statistics`."""

    confidence: float = 0.95
    coverage: float = 0.95
    least_pairs: int = 500
    least_s: float = 0.0
    bucket_s: float = 30.0

    @property
    def alpha(self) -> float:
        return 1 - self.confidence


@dataclass(frozen=True, slots=True)
class Facts:
    coverage: float | None = None  # logged / (eligible − sampled out); None where no ledger says it
    has_twin: bool = False
    twin_covers: bool = False  # the twin's sample covers the candidate's, so that it is the reference
    twin_version_differs: bool = False
    decides: bool = True  # the predictions are of a kind that has decisions: neither text nor embedding
    has_labels: bool = False
    is_live: bool = True  # false: replayed, against recorded answers
    is_warming_up: bool = False  # there are warm-up pairs
    mixed_versions: bool = False
    rules_changed: bool = False
