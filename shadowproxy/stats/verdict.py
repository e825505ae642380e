"""What judging says: a record for each gate, one for the candidate, and the closed set of reasons.

No data is an answer of its own: INCONCLUSIVE, with the reason and with what is still needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shadowproxy.stats.gate import Gate, Part


class Verdict(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Reason(StrEnum):
    """Why a gate is INCONCLUSIVE. In the order in which they are named for a candidate that has several."""

    MIXED_VERSIONS = "mixed_versions"
    RULES_CHANGED = "rules_changed"
    SELF_CHECK = "self_check"
    NO_LABELS = "no_labels"
    NO_DECISION = "no_decision"
    NO_TWIN = "no_twin"
    NOT_LIVE = "not_live"
    DRIFT = "drift"
    BURST = "burst"
    AT_THE_LIMIT = "at_the_limit"
    TWIN_UNLIKE_PRODUCTION = "twin_unlike_production"
    COVERAGE = "coverage"
    INCOMPARABLE = "incomparable"
    WARMING_UP = "warming_up"
    TOO_FEW_BUCKETS = "too_few_buckets"
    TOO_FEW_PAIRS = "too_few_pairs"


@dataclass(frozen=True, slots=True)
class Needed:
    """`pairs` in all, `more` of them than there are, and how long those take at the trial's rate."""

    pairs: int
    more: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """`low` and `high` in the unit of the gate's limit; None where nothing bounds it yet.

    `low` is what FAIL stands on (confidence 1 − 5 %/K), `high` what PASS stands on (95 %); for a gate that says `>=`
    the other way round. `parts` holds one record for each value where the gate is about every value of a slice; its
    own figures are then those of the worst.
    """

    gate: Gate
    reference: str  # "twin" or "production"
    method: str
    n: int
    estimate: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    reason: Reason | None = None
    needed: Needed | None = None
    value: str | None = None  # of the slice
    parts: tuple[GateVerdict, ...] = ()
    worth: float | None = None  # independent buckets, where a PASS is withheld because theirs resemble each other
    failed_at: int | None = None  # the bucket after which it first would have failed, whatever became of it later

    @property
    def part(self) -> Part | None:
        found = self.gate.part
        return (found[0], self.value) if found and self.value is not None else found


@dataclass(frozen=True, slots=True)
class Judgement:
    """About one candidate. `verdict` is None where there are no gates."""

    verdict: Verdict | None
    reason: Reason | None
    needed: Needed | None
    gates: tuple[GateVerdict, ...]


def of_gates(gates: tuple[GateVerdict, ...]) -> Judgement:
    """FAIL if any gate fails, PASS if all pass, else INCONCLUSIVE with the first reason of the closed set's order."""
    if not gates:
        return Judgement(None, None, None, ())
    verdict = worst(gate.verdict for gate in gates)
    if verdict is not Verdict.INCONCLUSIVE:
        return Judgement(verdict, None, None, gates)
    named = {gate.reason for gate in gates}
    undecided = [gate.needed for gate in gates if gate.verdict is Verdict.INCONCLUSIVE]
    needed = max((wait for wait in undecided if wait), key=lambda wait: wait.more, default=None)
    reason = next(reason for reason in Reason if reason in named)
    return Judgement(verdict, reason, needed if None not in undecided else None, gates)


def overall(candidates: Iterable[Verdict | None]) -> Verdict | None:
    """Of the gated candidates with traffic: as for gates; None where nothing was judged."""
    judged = [verdict for verdict in candidates if verdict is not None]
    return worst(judged) if judged else None


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """FAIL, then INCONCLUSIVE, then PASS. Of at least one."""
    return max(verdicts, key=(Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL).index)
