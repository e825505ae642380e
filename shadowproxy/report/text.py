"""The report on a terminal: the first screen for each candidate, at most 100 columns, whole without colour.

A line is (style, text): the style only colours, and every text has been made harmless by `words.plain`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from shadowproxy.report.record import Candidate, Rate, Report
from shadowproxy.report.words import NOTHING, duration, milliseconds, percent, plain, points, span_of

WIDTH: Final = 100
_RULE: Final = "─" * 90
_COLUMNS: Final = (27, 13, 13, 22, 12)
_FIELDS_SHOWN: Final = 5
_UNFIT: Final = {
    "incomplete": "gave no whole answer",
    "bad": "failed or refused",
    "truncated": "cut off",
    "not_kept": "not kept",
    "unparsed": "unreadable",
    "too_long": "longer than compare.up_to",
}

Line = tuple[str, str]
Row = tuple[str, str, str, str, str]


def lines(report: Report) -> Iterator[Line]:
    """All candidates, one screen each, then what concerns the whole log."""
    if len(report.candidates) > 1:
        yield from _wrapped("bold", report.headline)
        yield "", ""
    for candidate in report.candidates.values():
        yield from _screen(candidate)
        yield "", ""
    sources = report.sources
    yield (
        "dim",
        f"{sources.pairs:,} pairs in {sources.files:,} file(s)" + _unread(sources.torn_lines, sources.bad_lines),
    )


def _screen(c: Candidate) -> Iterator[Line]:
    title = f"{plain(c.name, 40)} instead of {plain(c.production, 40)}"
    yield "bold", f"{title:<78}not judged".rstrip() if c.verdict is None else f"{title:<78}{c.verdict}"
    yield from _wrapped("bold", c.summary)
    yield from _wrapped("", c.headline.removeprefix(c.summary).strip())
    yield from _wrapped("", " · ".join(_scale(c)))
    if c.pairs:
        yield "dim", _RULE
        yield from _table(c)
        yield from _notes(c)
        yield from _fields(c)
    for hint in c.hints:
        yield from _wrapped("yellow", f"Hint: {hint}")
    yield from _wrapped("", f"What is not known: {'; '.join(c.not_known)}.")
    for number, step in enumerate(c.next):
        yield from _wrapped("", ("Next: " if number == 0 else "      ") + step.what)
        if step.command:
            yield "", f"        {step.command}"  # never wrapped: it is there to be copied


def _scale(c: Candidate) -> Iterator[str]:
    yield f"{c.pairs:,} requests counted"
    if c.window.from_ and c.window.to and c.seconds is not None:
        yield f"{span_of(c.window.from_, c.window.to)}, {duration(c.seconds)}"
    if c.coverage.estimate is not None:
        yield f"{percent(c.coverage.estimate)} of those {plain(c.name, 40)} should have had"
    if c.warmup_pairs:
        yield f"{c.warmup_pairs:,} more while warming up"


def _table(c: Candidate) -> Iterator[Line]:
    yield "bold", _row(("", plain(c.production, 11), plain(c.name, 11), "difference", "requests"))
    for row in (*_decisions(c), *_latencies(c)):
        yield "", _row(row)


def _decisions(c: Candidate) -> Iterator[Row]:
    e = c.errors
    copy = "†" if e.reference == "twin" else ""
    yield (
        "Errors",
        _share(e.reference_rate, copy),
        _share(e.candidate_rate),
        points(e.error_rate_increase.estimate),
        f"{e.n:,}",
    )
    if f := c.nonfinite.b + c.nonfinite.c + c.nonfinite.on_both:
        yield (
            "NaN, Inf or null",
            percent((f - c.nonfinite.b) / c.nonfinite.n),
            percent((f - c.nonfinite.c) / c.nonfinite.n),
            points(c.nonfinite.nonfinite_increase.estimate),
            f"{c.nonfinite.n:,}",
        )
    if c.disagreement.n:
        yield (
            "Decides differently",
            _share(c.noise, "*"),
            _share(c.disagreement),
            points(c.excess_disagreement.estimate),
            f"{c.disagreement.n:,}",
        )
    if c.item_disagreement.n > c.disagreement.n:
        yield "  of single items", NOTHING, _share(c.item_disagreement), NOTHING, f"{c.item_disagreement.n:,}"
    yield "Any compared field differs", NOTHING, _share(c.difference), NOTHING, f"{c.difference.n:,}"
    if c.accuracy is not None:
        old, new = c.accuracy.production, c.accuracy.shadow
        rise = None if old.estimate is None or new.estimate is None else new.estimate - old.estimate
        yield "Right, by the labels", _share(old), _share(new), points(rise), f"{new.n:,}"


def _latencies(c: Candidate) -> Iterator[Row]:
    t = c.latency_ms
    n = f"{t.pairs:,}"
    yield "Clearly slower (> 25 %)", NOTHING, NOTHING, points(t.slower_share.estimate), n
    by_twin = t.reference == "twin" and t.twin is not None
    reference, sign = (t.twin or {}, "†") if by_twin else (t.production, "")
    for name, title in (("p50", "Latency, median"), ("p90", "Latency, p90"), ("p99", "Latency, p99")):
        if t.shadow[name] is not None:
            old, apart = reference[name], t.difference[name]
            yield (
                title,
                milliseconds(old) + (sign if old is not None else ""),
                milliseconds(t.shadow[name]),
                milliseconds(apart, signed=True),
                n,
            )


def _notes(c: Candidate) -> Iterator[Line]:
    production = plain(c.production)
    if c.noise.estimate is not None:
        yield from _wrapped("dim", f"* a second copy of {production} against {production}: the noise.")
    if "twin" in (c.errors.reference, c.latency_ms.reference):
        yield from _wrapped("dim", f"† {production}'s second copy, which is reached as {plain(c.name)} is.")
    if c.latency_ms.pairs:
        yield from _wrapped("dim", "A latency's difference is that within pairs, not a difference of quantiles.")
    if c.incomparable.reasons:
        reasons = ", ".join(f"{count:,} {_reason(reason, c)}" for reason, count in c.incomparable.reasons.items())
        yield from _wrapped("", f"Not comparable: {percent(c.incomparable.share.estimate)} of requests ({reasons}).")
    if c.errors.censored or c.errors.client_aborted:
        left_out = f"{c.errors.censored:,} censored timeouts, {c.errors.client_aborted:,} left by their clients"
        yield from _wrapped("", f"Not counted as errors: {left_out}.")
    if c.accuracy is not None:
        a = c.accuracy
        yield from _wrapped(
            "",
            f"Labels: {a.good_to_bad:,} right → wrong, {a.bad_to_good:,} wrong → right "
            f"(p = {a.mcnemar_p:.2g}, {a.mcnemar_method}).",
        )
    if c.labels is not None:
        found = c.labels
        yield from _wrapped(
            "",
            f"Labels found for {found.matched:,} requests, none for {found.unmatched:,}, "
            f"ambiguous for {found.ambiguous:,}; {found.unused:,} labels unused.",
        )


def _fields(c: Candidate) -> Iterator[Line]:
    changed = [field for field in c.fields if field.count]
    if not changed:
        return
    yield "bold", f"{'Fields that differ':<58}{'kind':<9}{'pairs':>10}{'noise':>12}"
    for field in changed[:_FIELDS_SHOWN]:
        noise = NOTHING if field.noise_count is None else f"{field.noise_count:,}"
        yield "", f"  {plain(field.path, 54):<56}{plain(field.kind, 8):<9}{field.count:>10,}{noise:>12}"
    if c.fields_total > _FIELDS_SHOWN:
        yield "dim", f"  and {c.fields_total - min(len(changed), _FIELDS_SHOWN):,} more: see --format json"


def _reason(reason: str, c: Candidate) -> str:
    """`shadow_bad` as `v2 failed or refused`; what is not of that form stays as it is."""
    side, _, what = reason.partition("_")
    sides = {"production": plain(c.production), "shadow": plain(c.name)}
    return f"{sides[side]} {_UNFIT[what]}" if side in sides and what in _UNFIT else plain(reason)


def _share(rate: Rate, sign: str = "") -> str:
    return percent(rate.estimate) + (sign if rate.estimate is not None else "")


def _row(cells: Row) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, _COLUMNS, strict=True)).rstrip()


def _unread(torn: int, bad: int) -> str:
    parts = [f"{count:,} {what}" for count, what in ((torn, "torn"), (bad, "unreadable")) if count]
    return f", {' and '.join(parts)} line(s) left out" if parts else ""


def _wrapped(style: str, text: str) -> Iterator[Line]:
    for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False):
        yield style, line
