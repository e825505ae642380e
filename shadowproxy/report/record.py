"""The report as a record: the shape of the JSON, and all that every format knows.

A rate is a fraction (0.005 = 0.5 %). `low` and `high` are null where nothing bounds it yet; `method` names the
interval, "point estimate" where there is none: a reader must not take an estimate for a bound. What is null was not
measured.
"""

from __future__ import annotations

import msgspec

from shadowproxy.report.example import Example
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.shown import Screen, Step

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


class Needed(_Record, frozen=True, kw_only=True):
    """`pairs` in all, `more` of them than there are, and how long those take at the trial's rate."""

    pairs: int
    more: int
    seconds: float


class Gate(_Record, frozen=True, kw_only=True):
    """One gate's record. Limit, estimate and ends are in `unit`: fractions for `pp` and `%`, a factor for `x`.

    FAIL stands on `low`, PASS on `high`; for a gate that says `>=` the other way round. `parts` has one record for each
    value where the gate is about every value of a slice; its own figures are then those of the worst.
    """

    name: str  # as it is written before the operator: slower_share{by=10%}
    metric: str
    options: dict[str, str]
    title: str  # in a few words: Clearly slower (> 10 %)
    about: str  # one sentence that defines it
    unit: str  # pp, %, x, 0-1, or own
    operator: str  # <= or >=
    limit: float
    reference: str  # "twin" or "production"
    method: str
    n: int
    estimate: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str | None  # of the closed set
    explanation: str  # the reason as a sentence
    needed: Needed | None
    value: str | None = None  # of the slice
    parts: list[Gate] = []


class SelfCheck(_Record, frozen=True, kw_only=True):
    """The same error and latency gates over the twin, as if it were a candidate."""

    verdict: str | None
    sentence: str
    gates: list[Gate]


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
    difference_method: str  # of the interval `difference.low` … `difference.high`, which is that of its median
    infinite: list[str]
    slower_share: Rate
    slower: int
    faster: int
    # [quantile, ms] at shares 0.01, 0.02 … 0.99, for drawing: production, shadow, twin, difference.
    curves: dict[str, list[tuple[float, float | None]]] = {}


class Stream(_Record, frozen=True, kw_only=True):
    """Streamed answers; quantiles in ms by role, as in Latency."""

    pairs: int
    first_token_ms: dict[str, dict[str, float | None]]
    per_token_ms: dict[str, dict[str, float | None]]
    tokens: dict[str, float | None]  # mean by role
    first_token_slower_share: Rate
    per_token_slower_share: Rate


class Field(_Record, frozen=True, kw_only=True):
    path: str
    kind: str
    count: int
    noise_count: int | None
    e_value: float | None  # against "no more often than noise"; null without a twin
    flagged: bool | None  # by e-BH over all fields
    examples: list[str]


class Flow(_Record, frozen=True, kw_only=True):
    old: str
    new: str
    count: int


class Confusion(_Record, frozen=True, kw_only=True):
    """Decisions of production (rows) against the candidate's (columns), the commonest labels; in items."""

    labels: list[str]
    counts: list[list[int]]
    items: int  # all, those of labels that are not shown too
    agreement: float | None
    kappa: float | None  # Cohen's, over all labels


class Spread(_Record, frozen=True, kw_only=True):
    """The numbers or scores that both sides decided, over all pairs; in items of batches."""

    items: int
    is_part: bool  # of a long log, a part that does not depend on who looks
    production_mean: float
    shadow_mean: float
    kolmogorov_smirnov: float  # the greatest gap between the two distributions, 0 … 1
    wasserstein: float  # how far one has to be moved to become the other, in the numbers' own unit


class Metric(_Record, frozen=True, kw_only=True):
    mean: float
    n: int
    low: float | None = None
    high: float | None = None
    method: str = POINT_ESTIMATE


class Segment(_Record, frozen=True, kw_only=True):
    """One route, or one value of a slice."""

    pairs: int
    too_few: bool
    error_rate_increase: Rate
    disagreement: Rate
    difference: Rate
    excess_disagreement: Rate
    slower_share: Rate
    e_values: dict[str, float] = {}  # by metric that was looked at: "worse than the reference here"
    flagged: list[str] = []  # the metrics that e-BH flags among all slices × metrics


class Labels(_Record, frozen=True, kw_only=True):
    matched: int
    unmatched: int
    ambiguous: int
    unused: int
    undecided: int  # matched pairs in which a side decided nothing
    bias: str | None = None  # a sentence where labels exist mostly for one of production's predictions


class Accuracy(_Record, frozen=True, kw_only=True):
    production: Rate
    shadow: Rate
    good_to_bad: int
    bad_to_good: int
    mcnemar_p: float
    mcnemar_method: str
    accuracy_drop: Rate


class Losses(_Record, frozen=True, kw_only=True):
    """How far predictions that are right by degrees lie from their labels: Brier score and log loss of scores in
    [0, 1] against labels 0 and 1, absolute error of numbers. Means by side over the same items."""

    kind: str  # "score" or "number"
    n: int
    production: dict[str, float | None]
    shadow: dict[str, float | None]


class Versus(_Record, frozen=True, kw_only=True):
    """This candidate less another one, on the requests that both received."""

    requests: int
    errors: Rate
    disagreement: Rate
    slower: Rate


class Moment(_Record, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A stretch of the trial, for drawing: shares within it, medians in ms."""

    from_: str
    seconds: float
    pairs: int
    decided: int  # comparable pairs with a decision: what `disagreement` is a share of
    candidate_errors: float | None
    reference_errors: float | None
    disagreement: float | None
    noise: float | None
    slower_share: float | None
    candidate_p50_ms: float | None
    reference_p50_ms: float | None


class Load(_Record, frozen=True, kw_only=True):
    """How much of production's load the candidate had: its latency under more is not known."""

    share: float
    candidate_per_s: float | None
    production_per_s: float | None


class Candidate(_Record, frozen=True, kw_only=True):
    name: str
    trial: str
    production: str
    origin: str | None
    headline: str  # the summary and what follows from it: JUDGEMENT §8's sentences
    summary: str = ""
    verdict: str | None
    reason: str | None = None  # of the closed set, where the verdict is INCONCLUSIVE
    needed: Needed | None = None
    gated: bool = True
    expect: str | None = None  # null where gates are given
    banners: list[str] = []  # to be read before anything else: paused, stale, no recorder
    window: Window
    seconds: float | None
    pairs: int
    warmup_pairs: int
    open_pairs: int = 0  # in time buckets that are not closed yet: not counted
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
    stream: Stream | None
    fields: list[Field]
    fields_total: int
    classes: list[Flow]
    confusion: Confusion | None = None
    spread: Spread | None = None
    metrics: dict[str, Metric]
    slices: dict[str, dict[str, Segment]]
    routes: dict[str, Segment]
    slices_looked_at: int = 0  # slices and routes × metrics that e-BH flagged among
    timeline: list[Moment] = []
    versions: dict[str, list[str]]
    fingerprints: dict[str, list[str]] = {}  # by role, what answers said of the software that made them
    mixed: dict[str, list[str]] = {}  # of that, where one upstream said two things
    rules: list[str]
    protocols: dict[str, int]
    decision_is_known: bool  # false: no prediction is configured, so any compared difference is another decision
    self_check: SelfCheck | None
    labels: Labels | None
    accuracy: Accuracy | None
    losses: Losses | None = None
    versus: dict[str, Versus] | None
    gates: list[Gate]
    hints: list[str]
    not_known: list[str]
    next: list[Step]
    examples: list[Example] = []  # only where they were asked for
    screen: Screen | None = None  # the first screen in words, for whoever prints the JSON


class Terms(_Record, frozen=True, kw_only=True):
    """What the judging stood on."""

    confidence: float
    coverage: float
    at_least_pairs: int
    at_least_s: float
    bucket_s: float
    final: bool  # one look at a closed log: the intervals are void if somebody looked before


class Report(_Record, frozen=True, kw_only=True):
    v: int
    headline: str
    verdict: str | None
    window: Window
    sources: Sources
    terms: Terms
    hints: list[str]
    candidates: dict[str, Candidate]
