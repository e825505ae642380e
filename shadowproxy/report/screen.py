"""The record of a candidate → its first screen (`shown.py`), in JUDGEMENT §8's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from shadowproxy.report.record import Accuracy, Candidate, Gate, Rate, Segment, Spread
from shadowproxy.report.shown import NO_FIGURE, Figure, Row, Screen
from shadowproxy.report.titles import title
from shadowproxy.report.words import (
    NOTHING,
    bounds,
    chance,
    duration,
    limit_in,
    milliseconds,
    number,
    percent,
    plain,
    span_of,
)

_UNFIT: Final = {
    "incomplete": "gave no whole answer",
    "bad": "failed or refused",
    "truncated": "cut off",
    "not_kept": "not kept",
    "unparsed": "unreadable",
    "too_long": "longer than compare.up_to",
}
_LONGEST_NAME: Final = 40


def screen(c: Candidate) -> Screen:
    words = Words(c)
    return Screen(
        name=plain(c.name, _LONGEST_NAME),
        heading=f"{plain(c.name, _LONGEST_NAME)} instead of {plain(c.production, _LONGEST_NAME)}",
        verdict=c.verdict,
        summary=c.summary,
        reason=c.headline.removeprefix(c.summary).strip(),
        scale=tuple(_scale(c, words)),
        columns=("", plain(c.production, 10), plain(c.name, 10), "difference (95 %)", "limit", "verdict"),
        rows=tuple(_rows(c, words)) if c.pairs else (),
        notes=tuple(_notes(c)) if c.pairs else (),
        hints=tuple(c.hints),
        not_known=f"{'; '.join(c.not_known)}.",
        next=tuple(c.next),
    )


def worded(c: Candidate) -> Candidate:
    """With its first screen, for whoever prints the JSON."""
    return msgspec.structs.replace(c, screen=screen(c))


class Words:
    """Sentences with a candidate's names in them."""

    def __init__(self, c: Candidate) -> None:
        self._old, self._new = plain(c.production, _LONGEST_NAME), plain(c.name, _LONGEST_NAME)
        self._has_twin = c.errors.reference == "twin"

    @property
    def copy(self) -> str:
        """The reference for errors and latency."""
        return f"{self._old}'s copy" if self._has_twin else self._old

    def title(self, key: str, **more: str) -> str:
        return title(key, old=self._old, new=self._new, copy=self.copy, **more)

    def figure(self, shown: str, key: str, **more: str) -> Figure:
        return Figure(shown, self.title(key, **more)) if shown != NOTHING else NO_FIGURE

    def judged(self, gate: Gate) -> Figure:
        """What a gate judges, with its interval."""
        shown = bounds(gate.estimate, gate.low, gate.high, gate.unit)
        return Figure(shown, f"{plain(gate.about, 400)} {self.title('interval')}")

    def rate(self, rate: Rate, unit: str, key: str) -> Figure:
        return self.figure(bounds(rate.estimate, rate.low, rate.high, unit), key)


def _scale(c: Candidate, words: Words) -> Iterator[Figure]:
    yield words.figure(f"{c.pairs:,} requests {'counted' if c.verdict is None else 'judged'}", "pairs")
    if c.window.from_ and c.window.to and c.seconds is not None:
        yield words.figure(f"{span_of(c.window.from_, c.window.to)}, {duration(c.seconds)}", "window")
    if c.coverage.estimate is not None:
        shown = f"{percent(c.coverage.estimate)} of those {plain(c.name, _LONGEST_NAME)} should have had"
        yield words.figure(shown, "coverage")
    if c.warmup_pairs:
        yield words.figure(f"{c.warmup_pairs:,} more while warming up", "warmup")


def _rows(c: Candidate, words: Words) -> Iterator[Row]:
    """The rows that every report has, each with its gate, then the gates that are about something else."""
    gates = list(c.gates)
    for name, keys, old, new, difference in (*_decisions(c, words), *_speeds(c, words), *_nonfinite(c, words)):
        gate = next((gate for gate in gates if gate.metric in keys and set(gate.options) <= {"by"}), None)
        if gate is not None:
            gates.remove(gate)
        yield _judged(Row(_named(name, gate), old, new, difference), gate, words)
    for gate in gates:
        yield _judged(Row(plain(gate.title, 44)), gate, words)
    yield from _latencies(c, words)


def _named(name: str, gate: Gate | None) -> str:
    return plain(gate.title, 44) if gate is not None and "by" in gate.options else name


_Line = tuple[str, frozenset[str], Figure, Figure, Figure]


def _decisions(c: Candidate, words: Words) -> Iterator[_Line]:
    e, f = c.errors, words.figure
    copy = "†" if e.reference == "twin" else ""
    yield (
        "Errors",
        frozenset({"error_rate_increase"}),
        f(_share(e.reference_rate, copy), "error_rate"),
        f(_share(e.candidate_rate), "error_rate"),
        f(_apart(e.error_rate_increase), "error_rate_increase"),
    )
    if c.disagreement.n:
        by_twin = c.excess_disagreement.estimate is not None
        yield (
            "Decides differently",
            frozenset({"excess_disagreement"} if by_twin else {"excess_disagreement", "disagreement"}),
            f(_share(c.noise, "*"), "noise"),
            f(_share(c.disagreement), "disagreement"),
            f(_apart(c.excess_disagreement), "excess_disagreement")
            if by_twin
            else f(bounds(c.disagreement.estimate, c.disagreement.low, c.disagreement.high, "%"), "disagreement"),
        )
    if c.item_disagreement.n > c.disagreement.n:
        shown = f(_share(c.item_disagreement), "item_disagreement")
        yield "  of single items", frozenset({"item_disagreement"}), NO_FIGURE, shown, NO_FIGURE
    any_field = f(_share(c.difference), "difference")
    yield "Any compared field differs", frozenset({"difference"}), NO_FIGURE, any_field, NO_FIGURE
    if c.accuracy is not None:
        yield _by_labels(c, c.accuracy, words)


def _by_labels(c: Candidate, accuracy: Accuracy, words: Words) -> _Line:
    """What is right; where a gate limits what is wrong, that: a row has one sign."""
    f, of_both, drop = words.figure, (accuracy.production, accuracy.shadow), accuracy.accuracy_drop
    if any(gate.metric == "accuracy_drop" and not gate.options for gate in c.gates):
        old, new = (f(percent(None if one.estimate is None else 1 - one.estimate), "inaccuracy") for one in of_both)
        return "Wrong, by the labels", frozenset({"accuracy_drop"}), old, new, f(_apart(drop), "accuracy_drop")
    old, new = (f(_share(one), "accuracy") for one in of_both)
    return "Right, by the labels", frozenset(), old, new, f(bounds(*_turned(drop), "pp"), "accuracy_rise")


def _speeds(c: Candidate, words: Words) -> Iterator[_Line]:
    slower = words.figure(_apart(c.latency_ms.slower_share), "slower_share")
    yield "Clearly slower (> 25 %)", frozenset({"slower_share"}), NO_FIGURE, NO_FIGURE, slower


def _nonfinite(c: Candidate, words: Words) -> Iterator[_Line]:
    """Where there was one, or where one would be judged."""
    f, found = words.figure, c.nonfinite
    count = found.b + found.c + found.on_both
    if found.n and (count or any(gate.metric == "nonfinite_increase" for gate in c.gates)):
        yield (
            "NaN, Inf or null",
            frozenset({"nonfinite_increase"}),
            f(percent((count - found.b) / found.n), "nonfinite_rate"),
            f(percent((count - found.c) / found.n), "nonfinite_rate"),
            f(_apart(found.nonfinite_increase), "nonfinite_increase"),
        )


def _latencies(c: Candidate, words: Words) -> Iterator[Row]:
    t = c.latency_ms
    by_twin = t.reference == "twin" and t.twin is not None
    reference, sign = (t.twin or {}, "†") if by_twin else (t.production, "")
    for name, shown in (("p50", "Latency, median"), ("p90", "Latency, p90"), ("p99", "Latency, p99")):
        if t.shadow[name] is not None:
            old = reference[name]
            yield Row(
                shown,
                words.figure(milliseconds(old) + (sign if old is not None else ""), "latency"),
                words.figure(milliseconds(t.shadow[name]), "latency"),
                words.figure(milliseconds(t.difference[name], signed=True), "latency_difference"),
            )


def _judged(row: Row, gate: Gate | None, words: Words) -> Row:
    """The row with its gate's figure, limit and verdict."""
    if gate is None:
        return row
    return Row(
        row.name,
        row.old,
        row.new,
        words.judged(gate),
        words.figure(limit_in(gate.limit, gate.unit), "limit"),
        Figure(gate.verdict, plain(gate.explanation, 400) or words.title("verdict")),
    )


def _notes(c: Candidate) -> Iterator[str]:
    production = plain(c.production)
    check = f"Self-check: {c.self_check.sentence}" if c.self_check is not None else ""
    noise = f"* a second copy of {production} against {production}: the noise." if c.noise.estimate is not None else ""
    if noise or check:
        yield "    ".join(filter(None, (noise, check)))
    if "twin" in (c.errors.reference, c.latency_ms.reference):
        yield f"† {production}'s second copy, which is reached as {plain(c.name)} is."
    if c.latency_ms.pairs:
        yield "A latency's difference is that within pairs, not a difference of quantiles."
    if c.incomparable.reasons:
        reasons = ", ".join(f"{count:,} {reason_of(reason, c)}" for reason, count in c.incomparable.reasons.items())
        yield f"Not comparable: {percent(c.incomparable.share.estimate)} of requests ({reasons})."
    if c.errors.censored or c.errors.client_aborted:
        left_out = f"{c.errors.censored:,} censored timeouts, {c.errors.client_aborted:,} left by their clients"
        yield f"Not counted as errors: {left_out}."
    if c.accuracy is not None:
        a = c.accuracy
        yield (
            f"Labels: {a.good_to_bad:,} right → wrong, {a.bad_to_good:,} wrong → right "
            f"({chance(a.mcnemar_p)}, {a.mcnemar_method})."
        )
    if c.labels is not None:
        found = c.labels
        yield (
            f"Labels found for {found.matched:,} requests, none for {found.unmatched:,}, "
            f"ambiguous for {found.ambiguous:,}; {found.unused:,} labels unused."
        )
        if found.bias:
            yield found.bias
    if sentence := flagged_sentence(c):
        yield sentence
    if c.spread is not None:
        yield _apart_in_all(c.spread, c)


def _apart_in_all(found: Spread, c: Candidate) -> str:
    """How far the two models' numbers lie apart as distributions, whichever request each belongs to."""
    means = f"{plain(c.production)} {number(found.production_mean)}, {plain(c.name)} {number(found.shadow_mean)}"
    which = f"{found.items:,} items{' of a part of the pairs' if found.is_part else ''}"
    return (
        f"Numbers decided, over {which}: mean {means}; "
        f"distributions apart by {number(found.kolmogorov_smirnov)} (Kolmogorov-Smirnov, at most 1) and "
        f"{number(found.wasserstein)} (Wasserstein, in their own unit)."
    )


def parts_of(c: Candidate) -> list[tuple[str, Segment]]:
    """Routes and slices by what they are called, worst first: flagged ones, then by what only the candidate has more.

    Those with too few pairs come last: nothing can be said of them.
    """
    parts = [
        *((f"route {plain(route, 60)}", part) for route, part in c.routes.items() if len(c.routes) > 1),
        *(
            (f"{plain(name, 40)} = {plain(value, 60)}", part)
            for name, of in c.slices.items()
            for value, part in of.items()
        ),
    ]
    return sorted(parts, key=lambda part: (part[1].too_few, -len(part[1].flagged), -_badness(part[1]), part[0]))


def _badness(part: Segment) -> float:
    outputs = part.excess_disagreement if part.excess_disagreement.estimate is not None else part.disagreement
    return sum(rate.estimate or 0.0 for rate in (part.error_rate_increase, outputs, part.slower_share))


def flagged_sentence(c: Candidate) -> str:
    """How many slices stand out, among how many looked at; empty where none was looked at."""
    if not c.slices_looked_at:
        return ""
    names = [name for name, part in parts_of(c) if part.flagged]
    which = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "") or "none"
    return f"Slices: {which} flagged among {c.slices_looked_at:,} looked at."


def reason_of(reason: str, c: Candidate) -> str:
    """`shadow_bad` as `v2 failed or refused`; what is not of that form stays as it is."""
    side, _, what = reason.partition("_")
    sides = {"production": plain(c.production), "shadow": plain(c.name)}
    return f"{sides[side]} {_UNFIT[what]}" if side in sides and what in _UNFIT else plain(reason)


def _share(rate: Rate, sign: str = "") -> str:
    return percent(rate.estimate) + (sign if rate.estimate is not None else "")


def _turned(rate: Rate) -> tuple[float | None, float | None, float | None]:
    """Estimate and ends the other way round: a rise of what drops."""
    estimate, low, high = (None if end is None else -end or 0.0 for end in (rate.estimate, rate.high, rate.low))
    return estimate, low, high


def _apart(rate: Rate) -> str:
    return bounds(rate.estimate, rate.low, rate.high, "pp")
