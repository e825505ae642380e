"""Evidence → figures: each figure of JUDGEMENT with its interval, and nothing that was not counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shadowproxy.report.counting import Counted
from shadowproxy.report.latencies import Latencies
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.record import (
    COUNT,
    Accuracy,
    Errors,
    Incomparable,
    Latency,
    Load,
    Metric,
    Nonfinite,
    Rate,
    Segment,
    Stream,
    Versus,
)
from shadowproxy.stats import interval
from shadowproxy.stats import versus as stats_versus
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Terms
from shadowproxy.stats.interval import Interval
from shadowproxy.stats.quantiles import shown
from shadowproxy.stats.slices import LEAST_PAIRS as TOO_FEW_PAIRS
from shadowproxy.stats.slices import Finding


def counted_rate(count: int, n: int) -> Rate:
    """A share of a whole that was counted."""
    return Rate(estimate=count / n if n else None, n=n, method=COUNT)


def as_rate(found: Interval) -> Rate:
    return Rate(estimate=found.estimate, low=found.low, high=found.high, n=found.n, method=found.method)


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one trial, one route or one slice. `bare`: too little for an interval to be worth its time."""

    evidence: Evidence
    terms: Terms
    final: bool = False
    bare: bool = False

    def rate(self, events: str, trials: str, *, alike: bool = False) -> Rate:
        if self.bare:
            return _point(self.evidence.total(events), self.evidence.total(trials))
        return as_rate(interval.rate(self.evidence, events, trials, self.terms, alike=alike, final=self.final))

    def difference(self, b: str, c: str, trials: str, *, alike: bool = False) -> Rate:
        if self.bare:
            return _point(self.evidence.total(b) - self.evidence.total(c), self.evidence.total(trials))
        return as_rate(interval.difference(self.evidence, b, c, trials, self.terms, alike=alike, final=self.final))

    def disagreement(self) -> Rate:
        return self.rate("disagreeing", "decided")

    def changed(self) -> Rate:
        return self.rate("different", "comparable")

    def item_disagreement(self) -> Rate:
        return self.rate("items_disagreeing", "items", alike=True)

    def noise(self) -> Rate:
        """How often production disagrees with its own copy."""
        return self.rate("noisy", "triples")

    def excess_disagreement(self) -> Rate:
        """Without a twin it is at most the disagreement itself, and nothing is known from below."""
        if self.evidence.total("triples"):
            return self.difference("only_candidate_disagrees", "only_twin_disagrees", "triples")
        all_of_it = self.disagreement()
        return Rate(estimate=None, high=all_of_it.high, n=0, method=all_of_it.method)

    def error_rate_increase(self) -> Rate:
        return self.difference("only_candidate_bad", "only_reference_bad", "exchanges")

    def slower_share(self, prefix: str = "") -> Rate:
        return self.difference(f"{prefix}slower", f"{prefix}faster", f"{prefix}timed", alike=True)


def _point(count: float, n: float) -> Rate:
    return Rate(estimate=count / n if n else None, n=round(n))


def errors(m: Measured, reference: str) -> Errors:
    e = m.evidence
    both = e.column("both_bad")
    sides = Measured(
        e.with_columns(
            {
                "candidate_bad": e.column("only_candidate_bad") + both,
                "reference_bad": e.column("only_reference_bad") + both,
            }
        ),
        m.terms,
        m.final,
    )
    return Errors(
        reference=reference,
        n=round(e.total("exchanges")),
        b=round(e.total("only_candidate_bad")),
        c=round(e.total("only_reference_bad")),
        bad_on_both=round(e.total("both_bad")),
        reference_rate=sides.rate("reference_bad", "exchanges"),
        candidate_rate=sides.rate("candidate_bad", "exchanges"),
        error_rate_increase=m.error_rate_increase(),
        timeouts={
            "reference": round(e.total("reference_timeouts")),
            "candidate": round(e.total("candidate_timeouts")),
        },
        censored=round(e.total("censored")),
        client_aborted=round(e.total("client_aborted")),
    )


def nonfinite(m: Measured) -> Nonfinite:
    e = m.evidence
    return Nonfinite(
        n=round(e.total("exchanges")),
        b=round(e.total("only_candidate_nonfinite")),
        c=round(e.total("only_production_nonfinite")),
        on_both=round(e.total("both_nonfinite")),
        nonfinite_increase=m.difference("only_candidate_nonfinite", "only_production_nonfinite", "exchanges"),
    )


def incomparable(m: Measured, reasons: dict[str, int]) -> Incomparable:
    missing = m.evidence.column("pairs") - m.evidence.column("comparable")
    share = Measured(m.evidence.with_columns({"incomparable": missing}), m.terms, m.final).rate("incomparable", "pairs")
    return Incomparable(share=share, reasons=reasons)


def segment(evidence: Evidence, terms: Terms, found: Sequence[Finding]) -> Segment:
    """One route or slice; `found`: what was looked at there, whose intervals are not computed again."""
    pairs = round(evidence.total("pairs"))
    m = Measured(evidence, terms, bare=pairs < TOO_FEW_PAIRS)
    known = {one.metric: as_rate(one.interval) for one in found}
    return Segment(
        pairs=pairs,
        too_few=pairs < TOO_FEW_PAIRS,
        error_rate_increase=known.get("error_rate_increase") or m.error_rate_increase(),
        disagreement=m.disagreement(),
        difference=m.changed(),
        excess_disagreement=known.get("excess_disagreement") or m.excess_disagreement(),
        slower_share=known.get("slower_share") or m.slower_share(),
        e_values={one.metric: one.e_value for one in found},
        flagged=[one.metric for one in found if one.flagged],
    )


def metrics(counted: Counted, terms: Terms, final: bool) -> dict[str, Metric]:
    found = {}
    for name, evidence in counted.metrics.items():
        mean = interval.mean(evidence, "sum", "count", terms, final=final)
        if mean.estimate is not None:
            found[name] = Metric(mean=mean.estimate, n=mean.n, low=mean.low, high=mean.high, method=mean.method)
    return found


def latency(m: Measured, reference: str, measured: Latencies | None) -> Latency:
    """`measured`: None where there is no latency pair."""
    production, candidate, twin, difference, twin_n = measured.quantiles if measured else (None, None, None, None, 0)
    apart = measured.apart if measured else None
    timed = round(m.evidence.total("timed"))
    roles = {
        "production": shown(production, timed),
        "shadow": shown(candidate, timed),
        "twin": shown(twin, twin_n),
        "difference": shown(difference, timed),
    }
    roles["difference"].pop("p95")
    return Latency(
        reference=reference,
        pairs=timed,
        timed_out=round(m.evidence.total("timed_out")),
        production=roles["production"],
        shadow=roles["shadow"],
        twin=roles["twin"] if twin_n else None,
        difference={
            **roles["difference"],
            "low": apart.low if apart else None,
            "high": apart.high if apart else None,
        },
        difference_method=apart.method if apart else "",
        infinite=[
            f"{role}.{name}"
            for role, values in roles.items()
            for name, value in values.items()
            if value is not None and math.isinf(value)
        ],
        slower_share=m.slower_share(),
        slower=round(m.evidence.total("slower")),
        faster=round(m.evidence.total("faster")),
        curves=measured.curves if measured else {},
    )


def stream(m: Measured, measured: Mapping[str, tuple[Any, ...]] | None) -> Stream | None:
    """`measured`: by role, a row of `query.streams`; None where no pair came as a stream on both sides."""
    pairs = round(m.evidence.total("first_token_timed"))
    if not pairs or measured is None:
        return None
    return Stream(
        pairs=pairs,
        first_token_ms={role: shown(row[0], row[3]) for role, row in measured.items()},
        per_token_ms={role: shown(row[1], row[3]) for role, row in measured.items()},
        tokens={role: row[2] for role, row in measured.items()},
        first_token_slower_share=m.slower_share("first_token_"),
        per_token_slower_share=m.slower_share("per_token_"),
    )


def accuracy(m: Measured, found: Accuracy) -> Accuracy:
    """What the labels' join counted, with intervals."""
    e = m.evidence
    both = e.column("both_right")
    sides = Measured(
        e.with_columns({"right_old": e.column("good_to_bad") + both, "right_new": e.column("bad_to_good") + both}),
        m.terms,
        m.final,
    )
    return msgspec.structs.replace(
        found,
        production=sides.rate("right_old", "labelled"),
        shadow=sides.rate("right_new", "labelled"),
        accuracy_drop=m.difference("good_to_bad", "bad_to_good", "labelled"),
    )


def versus(others: Mapping[str, Evidence], terms: Terms, final: bool) -> dict[str, Versus] | None:
    """None where there is no other candidate with requests in common."""
    found = {}
    for name, evidence in others.items():
        rates = stats_versus.versus(evidence, terms, final=final)
        found[name] = Versus(
            requests=round(evidence.total("requests")),
            errors=as_rate(rates["errors"]),
            disagreement=as_rate(rates["disagreement"]),
            slower=as_rate(rates["slower"]),
        )
    return found or None


def coverage(ledger: Ledger | None, *, is_written: bool) -> Rate:
    """The share of the copies due to the candidate that lie in the log as pairs."""
    if ledger is None:
        return Rate(estimate=None, n=0, method=COUNT)
    owed = ledger.owed(is_written=is_written)
    return Rate(estimate=ledger.logged / owed if owed > 0 else None, n=max(0, owed), method=COUNT)


def load(ledger: Ledger | None, seconds: float | None) -> Load | None:
    """None where the ledger has no request."""
    if ledger is None or ledger.requests <= 0:
        return None
    return Load(
        share=ledger.sent / ledger.requests,
        candidate_per_s=ledger.sent / seconds if seconds else None,
        production_per_s=ledger.requests / seconds if seconds else None,
    )
