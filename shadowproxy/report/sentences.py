"""What the figures say in words: headline, what is not known, what to look at next.

As long as nothing is judged, no sentence claims more than that something was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from shadowproxy.report.ledger import largest_reason
from shadowproxy.report.record import Accuracy, Candidate, Report
from shadowproxy.report.scope import Scope
from shadowproxy.report.shown import Step
from shadowproxy.report.views import Loaded
from shadowproxy.report.words import percent, plain

NOTHING_JUDGED: Final = "Nothing was judged: these are point estimates, without intervals or gates."
CHOSEN: Final = "This holds only if the hours were chosen before looking."
_FULL_LOAD: Final = 0.9

Show = Callable[[str], str]  # a pair's id → the command that shows it


def overall(candidates: Sequence[Candidate]) -> str:
    """One sentence for one candidate; else how many there are, and that nothing was judged."""
    if len(candidates) == 1:
        return candidates[0].headline
    names = ", ".join(plain(candidate.name) for candidate in candidates)
    return f"{len(candidates)} candidates ({names}). {NOTHING_JUDGED}"


def of_sources(loaded: Loaded) -> list[str]:
    """What could not be read."""
    said = []
    if loaded.torn_lines:
        said.append(f"{loaded.torn_lines} half-written line(s) at the end of a file were left out.")
    if loaded.bad_lines:
        said.append(f"{loaded.bad_lines} line(s) are no records of a pair log and were left out.")
    return said


def spoken(draft: Candidate, failures: Sequence[tuple[Any, ...]], scope: Scope, show: Show | None) -> Candidate:
    """The candidate with its headline, what is not known of it, what to look at next, and what its log lacks."""
    summary = _summary(draft)
    chosen = f" {CHOSEN}" if scope.is_chosen else ""
    return msgspec.structs.replace(
        draft,
        headline=f"{summary} {NOTHING_JUDGED}{chosen}",
        summary=summary,
        hints=[*draft.hints, *_of_the_log(draft, scope)],
        not_known=_not_known(draft),
        next=_next(draft, failures, show),
    )


def _summary(c: Candidate) -> str:
    name = plain(c.name)
    if c.pairs == 0 and c.warmup_pairs:
        return f"{name} is warming up: {c.warmup_pairs:,} pairs so far, none of them counted."
    if c.pairs == 0:
        return f"{name} has had no request yet: {largest_reason(c.ledger)}."
    if c.accuracy is not None and c.disagreement.estimate is not None:
        return f"{name} disagrees on {percent(c.disagreement.estimate)} and {_rightness(c.accuracy)}."
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
    return f"{name} {' and '.join(parts) or 'gave nothing that can be compared'}."


def _rightness(accuracy: Accuracy) -> str:
    old, new = accuracy.production.estimate or 0.0, accuracy.shadow.estimate or 0.0
    how = "more often" if new > old else "less often" if new < old else "as often"
    return f"is right {how}: {percent(new)} against {percent(old)} of {accuracy.shadow.n:,} labelled"


def _not_known(c: Candidate) -> list[str]:
    name, production = plain(c.name), plain(c.production)
    said = []
    if c.accuracy is None:
        said.append(f"whether {name}'s answers are right ({'no labels' if c.labels is None else 'no label fits'})")
    if c.load is not None and c.load.share < _FULL_LOAD:
        said.append(f"its latency above {percent(c.load.share)} of {production}'s load")
    if c.pairs and c.noise.n == 0 and c.disagreement.n:
        said.append(f"how often {production} disagrees with itself (no twin)")
    return [*said, "how far chance alone moves these figures (no intervals)"]


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


def _of_the_log(c: Candidate, scope: Scope) -> list[str]:
    """Reasons to doubt the log itself."""
    name = plain(c.name)
    said = []
    if c.ledger is None:
        said.append(f"The log holds no ledger for {name}: how much of the traffic these pairs are is not known.")
    elif c.ledger.broken:
        said.append(f"{name}'s ledger does not balance: {c.ledger.broken[0]}.")
    missing = c.ledger.logged - c.pairs - c.warmup_pairs if c.ledger and not scope.is_chosen else 0
    if missing > 0:
        said.append(f"The ledger counts {missing:,} pairs of {name} that these files do not hold.")
    for role, versions in c.versions.items():
        if len(versions) > 1:
            said.append(f"Mixed versions of {role} in one trial: {', '.join(map(plain, versions))}.")
    if len(c.rules) > 1:
        said.append(f"The rules of comparison changed {len(c.rules) - 1} time(s) within the trial.")
    if not c.decision_is_known:
        said.append("No prediction is configured: any compared difference counts as another decision.")
    if c.labels is not None and c.accuracy is None and c.labels.matched > c.labels.undecided:
        said.append("Labels were found, but the predictions are numbers: how often they are right is not shown.")
    return said


def no_pairs(path: str, report: Report) -> str:
    """Why there is nothing to report, in the words of the ledger."""
    said = [
        f"{plain(candidate.name)}: {largest_reason(candidate.ledger)}" for candidate in report.candidates.values()
    ] or ["nothing, there is none"]
    return f"no pairs in {plain(path)}; the ledger says: {'; '.join(said)}"
