"""Evidence in which every bucket is like the others, so that the arithmetic can stand beside the row."""

from __future__ import annotations

import numpy as np

from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Facts, Terms

PER_BUCKET = 100
FACTS = Facts(coverage=1.0, has_twin=True, twin_covers=True, is_live=True)
TERMS = Terms()


def steady(buckets: int = 50, *, first: int = 1000, **per_bucket: float) -> Evidence:
    """Counts of one bucket; what is not given is nothing, and all pairs are comparable, decided, timed, triples."""
    full = ("pairs", "comparable", "decided", "exchanges", "timed", "triples", "labelled")
    rest = (
        "different",
        "disagreeing",
        "items",
        "items_disagreeing",
        "noisy",
        "only_candidate_disagrees",
        "only_twin_disagrees",
        "only_candidate_bad",
        "only_reference_bad",
        "only_candidate_nonfinite",
        "only_production_nonfinite",
        "candidate_timeouts",
        "slower",
        "faster",
        "good_to_bad",
        "bad_to_good",
    )
    counts = {**dict.fromkeys(full, float(PER_BUCKET)), **dict.fromkeys(rest, 0.0), **per_bucket}
    return Evidence(
        np.arange(first, first + buckets), {name: np.full(buckets, count) for name, count in counts.items()}
    )


def changed(evidence: Evidence, column: str, at: slice, count: float) -> Evidence:
    """The same, with another count in some buckets."""
    values = evidence.column(column).copy()
    values[at] = count
    return evidence.with_columns({column: values})
