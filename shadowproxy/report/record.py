"""The report as a record: the shape of the JSON, and all that the text knows.

A rate is a fraction (0.005 = 0.5 %). `low` and `high` are null and `method` says "point estimate" as long as no
interval has been computed; a reader must not take an estimate for a bound.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shadowproxy.report.ledger import Ledger

POINT_ESTIMATE = "point estimate"
COUNT = "count"  # a share of a whole that was counted, not estimated


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Rate(_Record, frozen=True, kw_only=True):
    estimate: float | None
    n: int
    low: float | None = None
    high: float | None = None
    method: str = POINT_ESTIMATE


class Window(_Record, frozen=True, kw_only=True, rename={"from_": "from"}):
    from_: str | None
    to: str | None


class Sources(_Record, frozen=True, kw_only=True):
    files: int
    pairs: int
    torn_lines: int
    bad_lines: int


class Errors(_Record, frozen=True, kw_only=True):
    """`b`: the candidate is bad and the reference is not; `c` the other way round."""

    reference: str  # "twin" or "production"
    n: int
    b: int
    c: int
    bad_on_both: int
    reference_rate: Rate
    candidate_rate: Rate
    error_rate_increase: Rate
    timeouts: dict[str, int]
    censored: int
    client_aborted: int


class Nonfinite(_Record, frozen=True, kw_only=True):
    """Answers with NaN, ±Inf, null for a number, or probabilities that are none; `b` and `c` as for errors."""

    n: int
    b: int
    c: int
    on_both: int
    nonfinite_increase: Rate


class Incomparable(_Record, frozen=True, kw_only=True):
    share: Rate
    reasons: dict[str, int]


class Latency(_Record, frozen=True, kw_only=True):
    """Quantiles in ms. One that is null where `timed_out` candidates reach it is infinite: see `infinite`."""

    reference: str
    pairs: int
    timed_out: int
    production: dict[str, float | None]
    shadow: dict[str, float | None]
    twin: dict[str, float | None] | None
    difference: dict[str, float | None]
    infinite: list[str]
    slower_share: Rate
    slower: int
    faster: int


class Field(_Record, frozen=True, kw_only=True):
    path: str
    kind: str
    count: int
    noise_count: int | None
    e_value: float | None
    flagged: bool | None
    examples: list[str]


class Flow(_Record, frozen=True, kw_only=True):
    old: str
    new: str
    count: int


class Metric(_Record, frozen=True, kw_only=True):
    mean: float
    n: int


class Segment(_Record, frozen=True, kw_only=True):
    """One route, or one value of a slice."""

    pairs: int
    too_few: bool
    error_rate_increase: Rate
    disagreement: Rate
    difference: Rate
    excess_disagreement: Rate
    slower_share: Rate


class Labels(_Record, frozen=True, kw_only=True):
    matched: int
    unmatched: int
    ambiguous: int
    unused: int
    undecided: int  # matched pairs in which a side decided nothing


class Accuracy(_Record, frozen=True, kw_only=True):
    production: Rate
    shadow: Rate
    good_to_bad: int
    bad_to_good: int
    mcnemar_p: float
    mcnemar_method: str


class Load(_Record, frozen=True, kw_only=True):
    """How much of production's load the candidate had: its latency under more is not known."""

    share: float
    candidate_per_s: float | None
    production_per_s: float | None


class Step(_Record, frozen=True, kw_only=True):
    """Something to look at, and the command that shows it."""

    what: str
    command: str | None = None


class Candidate(_Record, frozen=True, kw_only=True):
    name: str
    trial: str
    production: str
    origin: str | None
    headline: str  # summary and reason
    summary: str = ""
    verdict: str | None
    reason: str
    window: Window
    seconds: float | None
    pairs: int
    warmup_pairs: int
    twin_pairs: int
    coverage: Rate
    ledger: Ledger | None
    load: Load | None
    outcomes: dict[str, int]
    statuses: dict[str, int]
    errors: Errors
    nonfinite: Nonfinite
    disagreement: Rate
    item_disagreement: Rate
    difference: Rate
    incomparable: Incomparable
    noise: Rate
    excess_disagreement: Rate
    latency_ms: Latency
    stream: None
    fields: list[Field]
    fields_total: int
    classes: list[Flow]
    metrics: dict[str, Metric]
    slices: dict[str, dict[str, Segment]]
    routes: dict[str, Segment]
    versions: dict[str, list[str]]
    rules: list[str]
    protocols: dict[str, int]
    decision_is_known: bool  # false: no prediction is configured, so any compared difference is another decision
    self_check: None
    labels: Labels | None
    accuracy: Accuracy | None
    versus: None
    gates: list[Any]
    hints: list[str]
    not_known: list[str]
    next: list[Step]


class Report(_Record, frozen=True, kw_only=True):
    v: int
    headline: str
    verdict: str | None
    window: Window
    sources: Sources
    hints: list[str]
    candidates: dict[str, Candidate]
