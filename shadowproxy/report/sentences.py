"""What the figures say in words: JUDGEMENT §8's headline, what is not known, what to look at next.

One headline for all: text, pages, dashboard, notifications and `wait` print `headline` as it is, or its first sentence,
`summary`. What nothing judged is told as a count, and no sentence claims more than its verdict does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from shadowproxy.report.ledger import largest_reason
from shadowproxy.report.record import Accuracy, Candidate, Gate, Losses, Report
from shadowproxy.report.scope import Scope
from shadowproxy.report.shown import Step
from shadowproxy.report.views import Loaded
from shadowproxy.report.words import duration, number, percent, plain, share_in
from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.stats.verdict import Verdict

NO_GATES: Final = "Nothing was judged: no gates are set."
NO_CANDIDATES: Final = "Nothing was judged: the log knows no candidate."
NOT_GATED: Final = "Nothing was judged: {new} is not gated."
PASSED: Final = "No gate shows {new} worse than {old}. This does not say that it is better."
CHOSEN: Final = "This holds only if {what} chosen before looking."
BEST_OF: Final = "A PASS bounds the risk of one candidate; that the best of several was chosen is not covered by any."
STALE_S: Final = 300.0
MOST_PARTS: Final = 6  # of what one side said of itself
_FULL_LOAD: Final = 0.9

# What FAIL says of each metric; `{x}` is the estimate; interval and limit follow.
_FAILED: Final = {
    "error_rate_increase": "It fails on {x} of requests that {copy} answers",
    "timeout_increase": "It times out on {x} of requests that {copy} answers in time",
    "nonfinite_increase": "It gives NaN, Inf or null on {x} of requests on which {old} does not",
    "difference": "A compared field differs on {x} of requests",
    "disagreement": "It decides differently from {old} on {x} of requests",
    "item_disagreement": "It decides differently from {old} on {x} of items",
    "timeout_rate": "It times out on {x} of requests",
    "nonfinite_rate": "It gives NaN, Inf or null on {x} of requests",
    "excess_disagreement": "It decides differently from {old} on {x} of requests more than {old}'s own copy does",
    "similarity_loss": "Its answers are less like {old}'s than those of {old}'s own copy, by {x}",
    "slower_share": "It is clearly slower (> {by}) on {x} of requests, those on which it is faster taken off",
    "first_token_slower_share": "Its first token comes clearly later (> {by}) on {x} of streams, sooner ones off",
    "per_token_slower_share": "Its tokens come clearly slower (> {by}) on {x} of streams, faster ones off",
    "slo_miss_increase": "It takes longer than {over} on {x} of requests more than {copy} does",
    "latency_p50_ratio": "Its median latency is {x} {copy}'s",
    "latency_p99_ratio": "Its p99 latency is {x} {copy}'s",
    "accuracy_drop": "It is wrong on {x} of labelled requests more than {old} is",
}

Show = Callable[[str], str]  # a pair's id → the command that shows it


def overall(candidates: Sequence[Candidate]) -> str:
    """One sentence for one candidate; else each one's verdict."""
    if not candidates:
        return NO_CANDIDATES
    if len(candidates) == 1:
        return candidates[0].headline
    told = ", ".join(f"{plain(c.name)} {c.verdict or 'not judged'}" for c in candidates)
    several = sum(c.verdict == Verdict.PASS for c in candidates) > 1
    return f"{len(candidates)} candidates: {told}.{f' {BEST_OF}' if several else ''}"


def of_sources(loaded: Loaded) -> list[str]:
    """What could not be read."""
    said = []
    if loaded.torn_lines:
        said.append(f"{loaded.torn_lines} half-written line(s) at the end of a file were left out.")
    if loaded.without_bodies:
        said.append(
            f"{loaded.without_bodies} segment(s) of the log keep no bodies any more (`pairs.keep`): figures need none; "
            "`show`, `replay` and `--recompare` cannot use theirs."
        )
    if loaded.bad_lines:
        said.append(f"{loaded.bad_lines} line(s) are no records of a pair log and were left out.")
    return said


def spoken(
    draft: Candidate,
    failures: Sequence[tuple[Any, ...]],
    scope: Scope,
    show: Show | None,
    *,
    rules_changed: bool = False,
) -> Candidate:
    """The candidate with its headline, what is not known of it, what to look at next, and what its log lacks."""
    summary = _verdict(draft)
    rest = [_counted(draft) if draft.verdict is None and draft.pairs else _by_labels(draft), _chosen(scope)]
    return msgspec.structs.replace(
        draft,
        headline=" ".join(filter(None, [summary, *rest])),
        summary=summary,
        hints=[*draft.hints, *_of_the_log(draft, scope, rules_changed)],
        not_known=_not_known(draft),
        next=_next(draft, failures, show),
    )


def banners(name: str, last_us: int | None, heard_us: int | None, snapshot: Snapshot | None) -> list[str]:
    """What must be read before anything else. `heard_us`: the ledger's last line of a log that is being written."""
    if heard_us is None:
        return []
    said = []
    if snapshot is not None and any(c.name == name and c.paused for c in snapshot.candidates):
        said.append(f"{plain(name)} is paused: nothing is added.")
    if snapshot is not None and snapshot.twin is not None and snapshot.twin.paused:
        said.append("The twin is paused: no new pair says what differs by chance.")
    since_s = (heard_us - last_us) / 1e6 if last_us is not None else 0.0
    if since_s > STALE_S:
        said.append(f"No pair of {plain(name)} for {duration(since_s)}.")
    return said


def _verdict(c: Candidate) -> str:
    new, old = plain(c.name), plain(c.production)
    if c.pairs == 0 and c.warmup_pairs == 0 and c.open_pairs == 0:
        return f"{new} has had no request yet: {largest_reason(c.ledger)}."
    if c.verdict is None:
        return NO_GATES if c.gated else NOT_GATED.format(new=new)
    if c.verdict == Verdict.PASS:
        return PASSED.format(new=new, old=old)
    if c.verdict == Verdict.FAIL:
        return f"Do not promote {new}. {' '.join(_failures(c))}"
    return _undecided(c)


def _failures(c: Candidate) -> Iterator[str]:
    """The first failing gate with its figures, the others by name."""
    failed = [gate for gate in c.gates if gate.verdict == Verdict.FAIL]
    yield f"{_failed(failed[0], c)}."
    if others := ", ".join(gate.title for gate in failed[1:]):
        yield f"It fails by {'another gate' if len(failed) == 2 else 'other gates'} too: {others}."


def _failed(gate: Gate, c: Candidate) -> str:
    old = plain(c.production)
    options = {"by": "25%", "over": "its limit", **{name: plain(value, 40) for name, value in gate.options.items()}}
    words = _FAILED.get(gate.metric, f"Its mean {gate.metric.removeprefix('mean(').removesuffix(')')} is {{x}}")
    said = words.format(
        x=share_in(gate.estimate, gate.unit),
        old=old,
        copy=f"{old}'s copy" if gate.reference == "twin" else old,
        by=options["by"].replace("%", " %"),
        over=options["over"],
    )
    part = _of_part(gate) if "slice" in gate.options else ""
    return f"{said}{part} ({_ends(gate)}, limit {share_in(gate.limit, gate.unit)})"


def _ends(gate: Gate) -> str:
    """`0.9–1.6 %`: where the value lies, as sure as the verdict needs it."""
    low, high = (None if end is None else share_in(end, gate.unit) for end in (gate.low, gate.high))
    if low is None or high is None:
        return f"at least {low}" if low is not None else f"at most {high}" if high is not None else "once is enough"
    number, space, unit = low.partition(" ")
    return f"{number}–{high}" if space and high.endswith(f" {unit}") else f"{low}–{high}"


def _of_part(gate: Gate) -> str:
    return f" where {plain(gate.options['slice'].partition(':')[0])} is {plain(gate.value or '', 40)}"


def _undecided(c: Candidate) -> str:
    """Named by the gate whose reason it is, and by how much more decides."""
    gate = next((gate for gate in c.gates if gate.reason == c.reason), None)
    why = gate.explanation if gate is not None else "too few requests so far"
    more = ""
    if c.needed is not None and c.needed.more > 0:
        more = f" About {c.needed.more:,} requests ({duration(c.needed.seconds)}) more at the present rate."
    return f"Not decided yet: {why}.{more}"


def _chosen(scope: Scope) -> str:
    hours, part = scope.since is not None or scope.until is not None, scope.slice is not None
    what = " and ".join([*(["the hours"] if hours else []), *(["the slice"] if part else [])])
    return CHOSEN.format(what=f"{what} {'were' if hours else 'was'}") if what else ""


def _by_labels(c: Candidate) -> str:
    if c.accuracy is None or c.disagreement.estimate is None:
        return ""
    return f"{plain(c.name)} disagrees on {percent(c.disagreement.estimate)} and {_rightness(c.accuracy)}."


def _counted(c: Candidate) -> str:
    """What was seen, of a candidate that nothing judges."""
    if said := _by_labels(c):
        return said
    parts = []
    if c.disagreement.estimate is not None:
        parts.append(f"decides differently on {percent(c.disagreement.estimate)} of requests")
    elif c.difference.estimate is not None:
        parts.append(f"answers differently on {percent(c.difference.estimate)} of requests")
    if c.errors.n:
        reference = f"{plain(c.production)}'s copy" if c.errors.reference == "twin" else plain(c.production)
        parts.append(
            f"fails on {percent(c.errors.candidate_rate.estimate)} "
            f"({reference}: {percent(c.errors.reference_rate.estimate)})"
        )
    return f"{plain(c.name)} {' and '.join(parts) or 'gave nothing that can be compared'}."


def _rightness(accuracy: Accuracy) -> str:
    old, new = accuracy.production.estimate or 0.0, accuracy.shadow.estimate or 0.0
    how = "more often" if new > old else "less often" if new < old else "as often"
    return f"is right {how}: {percent(new)} against {percent(old)} of {accuracy.shadow.n:,} labelled"


def _not_known(c: Candidate) -> list[str]:
    name, production = plain(c.name), plain(c.production)
    said = []
    if c.accuracy is None and c.losses is None:
        said.append(f"whether {name}'s answers are right ({'no labels' if c.labels is None else 'no label fits'})")
    if c.load is not None and c.load.share < _FULL_LOAD:
        said.append(f"its latency above {percent(c.load.share)} of {production}'s load")
    if c.pairs and c.noise.n == 0 and c.disagreement.n:
        said.append(f"how often {production} disagrees with itself (no twin)")
    if c.labels is not None and c.labels.bias:
        said.append(c.labels.bias)
    return [*said, f"what acting on {name}'s answers would change; hours that this trial has not seen"]


def _next(c: Candidate, failures: Sequence[tuple[Any, ...]], show: Show | None) -> list[Step]:
    name = plain(c.name)
    steps = []
    for what, route, count, pair_ids in failures[:1]:
        only = f'{count:,} of {name}\'s errors are {plain(what)} on route "{plain(route)}"'
        steps.append(_step(only, pair_ids, show))
    if c.classes:
        flow = c.classes[0]
        steps.append(Step(what=f"largest class flow: {plain(flow.old, 40)}→{plain(flow.new, 40)} ({flow.count:,})"))
    if c.fields and c.fields[0].count:
        changed = c.fields[0]
        what = f"most changed field: {plain(changed.path, 60)} ({plain(changed.kind)}, {changed.count:,})"
        steps.append(_step(what, changed.examples, show))
    return steps


def _step(what: str, pair_ids: Sequence[str], show: Show | None) -> Step:
    return Step(what=what, command=show(pair_ids[0]) if pair_ids and show else None)


def _of_the_log(c: Candidate, scope: Scope, rules_changed: bool) -> list[str]:
    """Reasons to doubt the log itself."""
    name = plain(c.name)
    said = []
    if c.ledger is None:
        said.append(f"The log holds no ledger for {name}: how much of the traffic these pairs are is not known.")
    elif c.ledger.broken:
        said.append(f"{name}'s ledger does not balance: {c.ledger.broken[0]}.")
    missing = c.ledger.logged - c.pairs - c.warmup_pairs - c.open_pairs if c.ledger and not scope.is_chosen else 0
    if missing > 0:
        said.append(f"The ledger counts {missing:,} pairs of {name} that these files do not hold.")
    for role, versions in c.versions.items():
        if len(versions) > 1:
            said.append(f"Mixed versions of {role} in one trial: {', '.join(map(plain, versions))}.")
    for role, parts in c.mixed.items():
        said.append(
            f"Answers of {role} name several versions within one trial: {', '.join(map(plain, parts[:MOST_PARTS]))}. "
            f"`shadowproxy restart {name}` begins it anew."
        )
    if rules_changed:
        said.append("The rules of comparison changed within the trial.")
    if c.losses is not None:
        said.append(f"{name} is right by degrees: {_lost(c.losses)}.")
    return said


def _lost(losses: Losses) -> str:
    """The mean loss of both sides: less is better."""
    names = {"brier": "Brier score", "log_loss": "log loss", "absolute_error": "absolute error"}
    return ", ".join(
        f"{names[name]} {number(losses.shadow[name])} against {number(value)}"
        for name, value in losses.production.items()
    )


def no_pairs(path: str, report: Report) -> str:
    """Why there is nothing to report, in the words of the ledger."""
    said = [
        f"{plain(candidate.name)}: {largest_reason(candidate.ledger)}" for candidate in report.candidates.values()
    ] or ["nothing, there is none"]
    left_out = report.sources.torn_lines + report.sources.bad_lines
    there = report.sources.pairs
    others = f"; {there:,} pairs there are of other hours, routes, slices or trials" if there else ""
    unread = f"; {left_out:,} line(s) are no records of a pair log and were left out" if left_out else ""
    return f"no pairs in {plain(path)}; the ledger says: {'; '.join(said)}{unread}{others}"
