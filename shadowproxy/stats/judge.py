"""Evidence → verdict. A pure function: gates, counts by bucket and facts in, one record for each gate out.

Law (with K gates judged for a candidate, and 95 % as the confidence):

    PASS  the running upper end of the 95 % sequence is at or below the limit, coverage and `at_least` are met, and
          nothing withholds it                                      → each false PASS has probability ≤ 5 %
          (nor where what was seen in all is beyond the limit after all: something has changed since, `drift`)
    FAIL  the running lower end of the (1 − 5 %/K) sequence is above the limit, and so is the guard against bursts
                                                                    → any false FAIL has probability ≤ 5 %
    else INCONCLUSIVE, with a reason

A candidate passes when all its gates pass: an intersection-union test, which needs no correction. It fails when any
gate fails: Bonferroni's K. Nothing else than a bucket's counts enters, so that it does not matter who looks, or how
often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shadowproxy.stats import course, looks, withhold
from shadowproxy.stats.arrays import Ints
from shadowproxy.stats.course import Course
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Facts, Terms
from shadowproxy.stats.gate import EVERY, Gate, Part
from shadowproxy.stats.methods import Levels
from shadowproxy.stats.metrics import Need
from shadowproxy.stats.verdict import GateVerdict, Judgement, Reason, Verdict, of_gates, worst

LEAST_IN_SLICE = 500  # pairs: a value with fewer is neither passed nor waited for
_EMPTY = Evidence(np.empty(0, dtype=np.int64))


def judge(
    gates: Sequence[Gate],
    evidence: Mapping[Part | None, Evidence],
    facts: Facts,
    terms: Terms,
    *,
    self_check: Judgement | None = None,
    final: bool = False,
) -> Judgement:
    """`evidence[None]` is the whole trial, the others its slices. `final`: one look at a closed log.

    Raises evidence.NotCounted where a gate needs a column that is not there.
    """
    whole = evidence.get(None, _EMPTY)
    bench = _Bench(
        whole,
        {part: slice_.onto(whole.buckets) for part, slice_ in evidence.items() if part is not None},
        looks.schedule(len(whole.buckets)),
        facts,
        terms,
        terms.alpha / max(len(gates), 1),
        final,
        self_check is not None and self_check.verdict is Verdict.FAIL,
    )
    return of_gates(tuple(bench.gate(gate) for gate in gates))


def self_check(gates: Sequence[Gate], twin: Evidence, terms: Terms, *, final: bool = False) -> Judgement:
    """The same error and latency gates over the twin as if it were a candidate: `twin` counts it against production.

    Its FAIL says that the gates reject production itself: they are too tight, or the copy is not a copy.
    """
    own = tuple(gate for gate in gates if gate.of.of_reference and gate.part is None)
    return judge(own, {None: twin}, Facts(coverage=1.0), terms, final=final)


@dataclass(frozen=True, slots=True)
class _Bench:
    whole: Evidence
    slices: Mapping[Part, Evidence]
    looks: Ints
    facts: Facts
    terms: Terms
    alpha: float  # for one gate's FAIL
    final: bool
    twin_fails: bool

    def gate(self, gate: Gate) -> GateVerdict:
        part = gate.part
        if part is None:
            return self.one(gate, self.whole, self.alpha)
        if part[1] != EVERY:
            return self.one(gate, self.slices.get(part, self.nothing), self.alpha, value=part[1])
        return self.every(gate, part[0])

    @property
    def nothing(self) -> Evidence:
        return self.whole.with_columns({name: np.zeros(len(self.whole.buckets)) for name in self.whole.columns})

    def every(self, gate: Gate, name: str) -> GateVerdict:
        """All values of a slice: FAIL if one fails, PASS if all that have enough pairs do."""
        values = {value: slice_ for (of, value), slice_ in self.slices.items() if of == name}
        if not values:
            return self.one(gate, self.nothing, self.alpha)
        parts = tuple(
            self.one(gate, slice_, self.alpha / len(values), value=value) for value, slice_ in sorted(values.items())
        )
        large = [part for part in parts if values[part.value or ""].total("pairs") >= LEAST_IN_SLICE]
        failed = [part for part in parts if part.verdict is Verdict.FAIL]
        if not large and not failed:
            return replace(self.one(gate, self.nothing, self.alpha), parts=parts)
        verdict = Verdict.FAIL if failed else worst(part.verdict for part in large)
        shown = max((part for part in failed or large if part.verdict is verdict), key=_badness)
        return replace(shown, parts=parts)

    def one(self, gate: Gate, evidence: Evidence, alpha: float, *, value: str | None = None) -> GateVerdict:
        needs = gate.of.needs - ({Need.LIVE} if self.facts.twin_covers else frozenset())
        unmet = withhold.unmet(needs, evidence, self.facts)
        stood_in = unmet is Reason.NO_TWIN and bool(gate.of.stand_in)
        if unmet is not None and not stood_in:
            of_trial = withhold.of_trial(self.facts, self.twin_fails)
            return self.record(gate, None, Verdict.INCONCLUSIVE, of_trial or unmet, value)
        judged = replace(gate, metric=gate.of.stand_in) if stood_in else gate
        ran = course.run(judged, evidence, self.looks, Levels(alpha, self.terms.alpha), is_one_look=self.final)
        verdict, reason = self.decided(gate, ran, evidence, stood_in)
        record = self.record(gate, ran, verdict, reason, value)
        worth = withhold.too_alike(ran) if reason is Reason.TOO_FEW_BUCKETS else None
        waits = withhold.needed(ran, evidence, self.whole, self.terms, reason, worth)
        record = replace(record, worth=worth, needed=waits)
        # Without a twin the excess is at most the disagreement itself, and nothing is known from below.
        return replace(record, estimate=None, low=None, failed_at=None) if stood_in else record

    def decided(self, gate: Gate, ran: Course, evidence: Evidence, stood_in: bool) -> tuple[Verdict, Reason | None]:
        of_trial = withhold.of_trial(self.facts, self.twin_fails)
        if of_trial is not None:
            return Verdict.INCONCLUSIVE, of_trial
        if ran.failed.size and ran.failed[-1] and not stood_in:
            return Verdict.FAIL, None
        if ran.held.size and ran.held[-1]:
            if ran.is_beyond and not stood_in:
                return Verdict.INCONCLUSIVE, Reason.DRIFT
            reason = withhold.of_pass(gate, ran, evidence, self.whole, self.facts, self.terms)
            return (Verdict.INCONCLUSIVE, reason) if reason else (Verdict.PASS, None)
        if stood_in and ran.estimate is not None and ran.estimate > gate.limit:
            return Verdict.INCONCLUSIVE, Reason.NO_TWIN
        return Verdict.INCONCLUSIVE, withhold.of_course(
            ran,
            is_short=evidence.total("pairs") < self.terms.least_pairs,
            is_warming_up=self.facts.is_warming_up and not self.whole.total("pairs"),
        )

    def record(
        self, gate: Gate, ran: Course | None, verdict: Verdict, reason: Reason | None, value: str | None
    ) -> GateVerdict:
        low, high = ran.shown if ran else (None, None)
        method = ran.method if ran else None
        return GateVerdict(
            gate=gate,
            reference="twin" if gate.of.by_reference and self.facts.twin_covers else "production",
            method=(method.one_look_name if self.final else method.name) if method else "",
            n=round(ran.n) if ran else 0,
            estimate=ran.estimate if ran else None,
            low=low,
            high=high,
            verdict=verdict,
            reason=reason,
            value=value,
            failed_at=self.first_failure(ran) if ran else None,
        )

    def first_failure(self, ran: Course) -> int | None:
        at = np.flatnonzero(ran.failed)
        if not at.size:
            return None
        return int(self.whole.buckets[-1 if self.final else self.looks[at[0]] - 1])


def _badness(record: GateVerdict) -> float:
    """How far the worse end is beyond the limit; unknown ends are worst."""
    end = record.low if record.gate.higher_is_better else record.high
    if end is None:
        return np.inf
    return record.gate.limit - end if record.gate.higher_is_better else end - record.gate.limit
