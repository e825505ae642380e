"""Why a gate is not decided: what is missing for it, what withholds its PASS, and what would decide it."""

from __future__ import annotations

import math
from collections.abc import Collection

from shadowproxy.stats import asymptotic, looks, memory
from shadowproxy.stats import needed as more
from shadowproxy.stats.course import Course
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Facts, Terms
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.methods import BUCKETS
from shadowproxy.stats.metrics import Group, Kind, Need
from shadowproxy.stats.verdict import Needed, Reason

MOST_INCOMPARABLE = 0.05  # of the pairs
MOST_NOISE = 0.05  # of the triples, where predictions are decisions


def unmet(needs: Collection[Need], evidence: Evidence, facts: Facts) -> Reason | None:
    """The first need that the trial does not meet."""
    met = {
        Need.LABELS: (facts.has_labels, Reason.NO_LABELS),
        Need.DECISION: (_has_decisions(evidence, facts), Reason.NO_DECISION),
        Need.LIVE: (facts.is_live, Reason.NOT_LIVE),
        Need.TWIN: (facts.has_twin, Reason.NO_TWIN),
    }
    return next((reason for need, (is_met, reason) in met.items() if need in needs and not is_met), None)


def _has_decisions(evidence: Evidence, facts: Facts) -> bool:
    """Comparable pairs none of which says whether the decisions agree are of a kind that has no decisions."""
    return facts.decides and not (evidence.total("comparable") > 0 and evidence.total("decided") == 0)


def of_trial(facts: Facts, twin_fails: bool) -> Reason | None:
    """What makes every gate INCONCLUSIVE: the evidence is about several things at once, or the gates are no measure."""
    for holds, reason in (
        (facts.mixed_versions, Reason.MIXED_VERSIONS),
        (facts.rules_changed, Reason.RULES_CHANGED),
        (twin_fails, Reason.SELF_CHECK),
    ):
        if holds:
            return reason
    return None


def of_pass(gate: Gate, ran: Course, evidence: Evidence, whole: Evidence, facts: Facts, terms: Terms) -> Reason | None:
    """What stands against a PASS that the interval allows. Nothing here ever stands against a FAIL."""
    if gate.metric == "excess_disagreement" and facts.has_twin and _is_unlike(whole, facts):
        return Reason.TWIN_UNLIKE_PRODUCTION
    if facts.coverage is None or facts.coverage < terms.coverage:
        return Reason.COVERAGE
    if gate.of.group is Group.OUTPUTS and _incomparable(whole) > MOST_INCOMPARABLE:
        return Reason.INCOMPARABLE
    if evidence.total("pairs") < terms.least_pairs or elapsed_s(whole, terms) < terms.least_s:
        return Reason.TOO_FEW_PAIRS
    return None if too_alike(ran) is None else Reason.TOO_FEW_BUCKETS


def too_alike(ran: Course) -> float | None:
    """How many independent buckets there are, where they are too few to trust an interval over buckets.

    Where nothing may happen and nothing did, there is nothing to resemble.
    """
    if ran.gate.is_never or not (ran.held.size and ran.held[-1]):
        return None
    worth = memory.worth(*ran.counted)
    return worth if worth is not None and worth < memory.LEAST else None


def of_course(ran: Course, *, is_short: bool, is_warming_up: bool = False) -> Reason:
    """Why the interval decides nothing. `is_short`: no PASS could stand on so few pairs, so none is near its limit."""
    if ran.n <= 0:
        return Reason.WARMING_UP if is_warming_up else Reason.TOO_FEW_PAIRS
    is_burst = bool(ran.burst.size and (ran.burst[-1] or ran.sudden[-1]))
    wants_buckets = ran.shown[1] is None or (is_burst and ran.gate.of.kind is Kind.RATE)
    if wants_buckets and ran.now[BUCKETS, 0] < asymptotic.LEAST:
        return Reason.TOO_FEW_BUCKETS
    if is_burst:
        return Reason.BURST
    if ran.drifted.size and ran.drifted[-1]:
        return Reason.DRIFT
    return Reason.TOO_FEW_PAIRS if is_short or more.multiple(ran) else Reason.AT_THE_LIMIT


_WAITING = frozenset({Reason.TOO_FEW_PAIRS, Reason.TOO_FEW_BUCKETS, Reason.BURST, Reason.WARMING_UP})


def needed(
    ran: Course, evidence: Evidence, whole: Evidence, terms: Terms, reason: Reason | None, worth: float | None = None
) -> Needed | None:
    """How much traffic decides, where traffic is what is missing. `worth`: as `too_alike` says."""
    pairs, seconds = evidence.total("pairs"), elapsed_s(whole, terms)
    if reason not in _WAITING or pairs <= 0 or ran.is_one_look:
        return None
    decides = more.multiple(ran)
    if decides is None:
        return None
    closed = len(whole.buckets)
    more_alike = memory.LEAST / worth if worth else 1.0
    factor = max(
        decides, more_alike, looks.following(closed) / closed, terms.least_pairs / pairs, terms.least_s / seconds
    )
    in_all = math.ceil(factor * pairs - 1e-6)
    return Needed(pairs=in_all, more=max(in_all - round(pairs), 0), seconds=max(factor - 1, 0) * seconds)


def elapsed_s(whole: Evidence, terms: Terms) -> float:
    """From the beginning of the first bucket to the end of the last, pauses included."""
    buckets = whole.buckets
    return float(buckets[-1] - buckets[0] + 1) * terms.bucket_s if len(buckets) else 0.0


def _incomparable(whole: Evidence) -> float:
    pairs = whole.total("pairs")
    return (pairs - whole.total("comparable")) / pairs if pairs else 0.0


def _is_unlike(whole: Evidence, facts: Facts) -> bool:
    triples = whole.total("triples")
    noise = whole.total("noisy") / triples if triples else 0.0
    return facts.twin_version_differs or (facts.decides and noise > MOST_NOISE)
