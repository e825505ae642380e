"""Which gates judge a candidate, and what judging says of each, as the report's record.

Gates come from the command line, laid over those of the configuration, which are the candidate's laid over the global
ones. Where none are given, those of `expect` hold, for what the log shows the trial to be: decisions or texts, streams
or whole answers, with a twin or without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shadowproxy.report import record
from shadowproxy.report.titles import title
from shadowproxy.report.words import percent, plain
from shadowproxy.settings.gates import gates_over, parse_gate
from shadowproxy.settings.snapshot import Candidate, Snapshot
from shadowproxy.stats import asymptotic, gate, memory
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Facts, Terms
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.verdict import GateVerdict, Judgement, Needed, Reason, Verdict

_BY: Final = "25%"
EXPECT: Final = gate.SIMILAR  # of a candidate that no configuration describes

# What a gate is about, in the width of a table's first column.
_TITLES: Final = {
    "error_rate_increase": "Errors",
    "timeout_increase": "Timeouts, more than the reference's",
    "nonfinite_increase": "NaN, Inf or null",
    "difference": "Any compared field differs",
    "disagreement": "Decides differently",
    "item_disagreement": "Decides differently on items",
    "timeout_rate": "Timeouts",
    "nonfinite_rate": "NaN, Inf or null, in all",
    "excess_disagreement": "Decides differently, above the noise",
    "similarity_loss": "Less alike than the copy",
    "slower_share": "Clearly slower (> {by})",
    "first_token_slower_share": "First token clearly later (> {by})",
    "per_token_slower_share": "Tokens clearly slower (> {by})",
    "slo_miss_increase": "Takes longer than {over}",
    "latency_p50_ratio": "Latency, median",
    "latency_p99_ratio": "Latency, p99",
    "accuracy_drop": "Wrong, by the labels",
}
_REASONS: Final = {
    Reason.TOO_FEW_PAIRS: "too few requests so far",
    Reason.TOO_FEW_BUCKETS: "{buckets} of {bucket_s:g} s so far, an interval needs {least}",
    Reason.WARMING_UP: "{new} is still warming up",
    Reason.AT_THE_LIMIT: (
        "the true value is so near the limit that more traffic will not decide: change the limit or decide yourself"
    ),
    Reason.COVERAGE: "{covered}, a PASS needs {coverage}",
    Reason.INCOMPARABLE: "{incomparable} of the pairs cannot be compared, which is too many for a PASS",
    Reason.NO_TWIN: "without a second copy of {old} it is not known how often {old} disagrees with itself",
    Reason.TWIN_UNLIKE_PRODUCTION: "the second copy of {old} is unlike {old}: it has another version, or differs often",
    Reason.NO_DECISION: "the answers hold no decision that is known",
    Reason.BURST: "it came in a burst: one outage is one event, however many requests it took",
    Reason.DRIFT: "what happens now is not what happened before: no one value explains both",
    Reason.MIXED_VERSIONS: "several versions of one model answered within this trial",
    Reason.RULES_CHANGED: "the rules of comparison changed within this trial: judge it anew with --recompare",
    Reason.SELF_CHECK: "your gates reject {old} itself: they are too tight, or the copy is not a copy",
    Reason.NO_LABELS: "no labels were given that fit",
    Reason.NOT_LIVE: "recorded answers have no latency that could be compared",
}
_ALIKE: Final = (
    "neighbouring stretches of {bucket_s:g} s resemble each other: {closed} say as much as {worth} independent "
    "ones, a PASS needs {least}"
)


@dataclass(frozen=True, slots=True)
class Given:
    """What a candidate is to be judged by. `gates` is None where the defaults of `expect` hold."""

    gates: tuple[Gate, ...] | None
    expect: str
    gated: bool = True


@dataclass(frozen=True, slots=True)
class Names:
    """For sentences; harmless already."""

    old: str
    new: str
    has_twin: bool

    @property
    def copy(self) -> str:
        return f"{self.old}'s copy" if self.has_twin else self.old


def given(name: str, snapshot: Snapshot | None, own: Sequence[str], expect: str | None) -> Given:
    """`own` are the command line's gates. Raises ValueError, a sentence, for one that is none."""
    config = _candidate(name, snapshot)
    base = config.gates if config is not None else snapshot.gates if snapshot is not None else None
    texts = gates_over(base, tuple(own))
    return Given(
        gates=None if texts is None else tuple(dict.fromkeys(_gate(text) for text in texts)),
        expect=expect or (config.expect if config is not None else EXPECT),
        gated=config is None or config.gated,
    )


def _candidate(name: str, snapshot: Snapshot | None) -> Candidate | None:
    return next((c for c in snapshot.candidates if c.name == name), None) if snapshot is not None else None


def _gate(text: str) -> Gate:
    parsed = parse_gate(text)
    return Gate(parsed.metric, parsed.limit, parsed.options, higher_is_better=parsed.operator == ">=")


def settled(given: Given, whole: Evidence, *, has_twin: bool) -> tuple[Gate, ...]:
    """The gates that judge, the defaults of `expect` filled in for what was counted."""
    if not given.gated:
        return ()
    if given.gates is not None:
        return given.gates
    comparable, decided = whole.total("comparable"), whole.total("decided")
    predictions = [kind for kind, seen in (("label", decided), ("text", comparable - decided)) if seen > 0]
    streams = whole.total("first_token_timed") > whole.total("timed") / 2
    return gate.defaults(given.expect, predictions=predictions, has_twin=has_twin, streams=streams)


@dataclass(frozen=True, slots=True)
class Told:
    """Turns what judging says into the record's gates, with sentences."""

    names: Names
    facts: Facts
    terms: Terms
    whole: Evidence

    def gates(self, judgement: Judgement) -> list[record.Gate]:
        return [self.gate(one) for one in judgement.gates]

    def gate(self, one: GateVerdict) -> record.Gate:
        asked = one.gate
        options = dict(asked.options)
        words = {"by": _BY, "over": "the limit", **{name: plain(value, 40) for name, value in options.items()}}
        of_slice = f", {plain(words['slice'], 30)}" if "slice" in options else ""
        return record.Gate(
            name=asked.name,
            metric=asked.metric,
            options=options,
            title=_title(asked.metric, words) + of_slice,
            about=title(
                "mean" if asked.metric.startswith("mean(") else asked.metric,
                old=self.names.old,
                new=self.names.new,
                copy=self.names.copy,
                by=_spaced(words["by"]),
                over=words["over"],
            ),
            unit=asked.of.unit,
            operator=">=" if asked.higher_is_better else "<=",
            limit=asked.limit,
            reference=one.reference,
            method=one.method,
            n=one.n,
            estimate=one.estimate,
            low=one.low,
            high=one.high,
            verdict=str(one.verdict),
            reason=None if one.reason is None else str(one.reason),
            explanation=self.explained(one),
            needed=needed(one.needed),
            value=one.value,
            parts=[self.gate(part) for part in one.parts],
        )

    def explained(self, one: GateVerdict) -> str:
        if one.reason is None:
            return ""
        pairs, closed = self.whole.total("pairs"), len(self.whole.buckets)
        return (_REASONS[one.reason] if one.worth is None else _ALIKE).format(
            old=self.names.old,
            new=self.names.new,
            closed=closed,
            buckets=f"{closed} stretch{'' if closed == 1 else 'es'}",
            bucket_s=self.terms.bucket_s,
            least=asymptotic.LEAST if one.worth is None else memory.LEAST,
            worth=math.floor(one.worth or 0),
            coverage=percent(self.terms.coverage),
            covered="how much of the traffic this is is not known (no ledger)"
            if self.facts.coverage is None
            else f"{percent(self.facts.coverage)} of the copies due lie in the log",
            incomparable=percent((pairs - self.whole.total("comparable")) / pairs if pairs else None),
        )

    def self_check(self, judgement: Judgement) -> record.SelfCheck:
        old = self.names.old
        sentence = {
            Verdict.PASS: f"{old}'s copy passes these gates ✓",
            Verdict.FAIL: f"your gates reject {old} itself: they are too tight, or the copy is not a copy.",
            Verdict.INCONCLUSIVE: f"whether {old}'s copy passes these gates is not decided yet.",
            None: f"no gate here could be asked of {old}'s copy.",
        }[judgement.verdict]
        return record.SelfCheck(
            verdict=None if judgement.verdict is None else str(judgement.verdict),
            sentence=sentence,
            gates=self.gates(judgement),
        )


def needed(more: Needed | None) -> record.Needed | None:
    return None if more is None else record.Needed(pairs=more.pairs, more=more.more, seconds=more.seconds)


def _title(metric: str, words: dict[str, str]) -> str:
    if metric.startswith("mean("):
        return f"Mean of {metric[len('mean(') : -1]}"
    return _TITLES[metric].format(by=_spaced(words["by"]), over=words["over"])


def _spaced(share: str) -> str:
    """25% as tables write it: 25 %."""
    return share.replace("%", " %") if share.endswith("%") and " " not in share else share
