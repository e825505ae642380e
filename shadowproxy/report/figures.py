"""Tallies → figures: each figure of JUDGEMENT from counts alone, and nothing that was not counted."""

from __future__ import annotations

import math
from typing import Any

from shadowproxy.report.ledger import Ledger
from shadowproxy.report.record import (
    COUNT,
    POINT_ESTIMATE,
    Errors,
    Incomparable,
    Latency,
    Load,
    Nonfinite,
    Rate,
    Segment,
)
from shadowproxy.stats.quantiles import shown
from shadowproxy.stats.tally import Tally

TOO_FEW_PAIRS = 500


def rate(count: int, n: int) -> Rate:
    return Rate(estimate=count / n if n else None, n=n)


def disagreement(t: Tally) -> Rate:
    return rate(t.disagreeing, t.decided)


def difference(t: Tally) -> Rate:
    return rate(t.different, t.comparable)


def item_disagreement(t: Tally) -> Rate:
    return rate(t.items_disagreeing, t.items)


def noise(t: Tally) -> Rate:
    """How often production disagrees with its own copy."""
    return rate(t.noisy, t.triples)


def excess_disagreement(t: Tally) -> Rate:
    return rate(t.only_candidate_disagrees - t.only_twin_disagrees, t.triples)


def error_rate_increase(t: Tally) -> Rate:
    return rate(t.only_candidate_bad - t.only_reference_bad, t.exchanges)


def slower_share(t: Tally) -> Rate:
    return rate(t.slower - t.faster, t.timed)


def errors(t: Tally, reference: str) -> Errors:
    return Errors(
        reference=reference,
        n=t.exchanges,
        b=t.only_candidate_bad,
        c=t.only_reference_bad,
        bad_on_both=t.both_bad,
        reference_rate=rate(t.only_reference_bad + t.both_bad, t.exchanges),
        candidate_rate=rate(t.only_candidate_bad + t.both_bad, t.exchanges),
        error_rate_increase=error_rate_increase(t),
        timeouts={"reference": t.reference_timeouts, "candidate": t.candidate_timeouts},
        censored=t.censored,
        client_aborted=t.client_aborted,
    )


def nonfinite(t: Tally) -> Nonfinite:
    b, c = t.only_candidate_nonfinite, t.only_production_nonfinite
    return Nonfinite(n=t.exchanges, b=b, c=c, on_both=t.both_nonfinite, nonfinite_increase=rate(b - c, t.exchanges))


def incomparable(t: Tally, reasons: dict[str, int]) -> Incomparable:
    return Incomparable(share=rate(t.pairs - t.comparable, t.pairs), reasons=reasons)


def segment(t: Tally) -> Segment:
    return Segment(
        pairs=t.pairs,
        too_few=t.pairs < TOO_FEW_PAIRS,
        error_rate_increase=error_rate_increase(t),
        disagreement=disagreement(t),
        difference=difference(t),
        excess_disagreement=excess_disagreement(t),
        slower_share=slower_share(t),
    )


def latency(
    t: Tally, reference: str, measured: tuple[Any, ...] | None, curves: dict[str, list[tuple[float, float | None]]]
) -> Latency:
    """`measured` is a row of `query.quantiles`, None where there is no latency pair; `curves` are those to draw."""
    production, candidate, twin, apart, twin_n = measured or (None, None, None, None, 0)
    roles = {
        "production": shown(production, t.timed),
        "shadow": shown(candidate, t.timed),
        "twin": shown(twin, twin_n),
        "difference": shown(apart, t.timed),
    }
    roles["difference"].pop("p95")
    return Latency(
        reference=reference,
        pairs=t.timed,
        timed_out=t.timed_out,
        production=roles["production"],
        shadow=roles["shadow"],
        twin=roles["twin"] if twin_n else None,
        difference={**roles["difference"], "low": None, "high": None},
        difference_method=POINT_ESTIMATE,
        infinite=[
            f"{role}.{name}"
            for role, values in roles.items()
            for name, value in values.items()
            if value is not None and math.isinf(value)
        ],
        slower_share=slower_share(t),
        slower=t.slower,
        faster=t.faster,
        curves=curves,
    )


def coverage(ledger: Ledger | None) -> Rate:
    """The share of the copies due to the candidate that lie in the log as pairs."""
    if ledger is None:
        return Rate(estimate=None, n=0, method=COUNT)
    return Rate(estimate=ledger.logged / ledger.due if ledger.due > 0 else None, n=max(0, ledger.due), method=COUNT)


def load(ledger: Ledger | None, seconds: float | None) -> Load | None:
    """None where the ledger has no request."""
    if ledger is None or ledger.requests <= 0:
        return None
    return Load(
        share=ledger.sent / ledger.requests,
        candidate_per_s=ledger.sent / seconds if seconds else None,
        production_per_s=ledger.requests / seconds if seconds else None,
    )
