"""The ML Test Score's 28 tests (Breck et al., 2017, doi 10.1109/BigData.2017.8258038) beside what a pair log can show.

Evidence is one of three: the log shows it (`automatic`), the log shows a part of it (`partial`: or it needs labels, a
second candidate, old versions), or a shadow cannot show it (`none`). Found means: this log has it. It is never a score:
the score counts whether a team *has* a test, documented and run by itself, and its final figure is the least of four
sections, of which a shadow sees almost nothing in Data. Only answers of the team's own (`--answers`) make a total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from shadowproxy.report.record import Candidate, Report
from shadowproxy.report.words import percent, plain

AUTOMATIC, PARTIAL, NONE = "automatic", "partial", "none"
SECTIONS: Final = ("data", "model", "infra", "monitor")
POINTS: Final = (0.0, 0.5, 1.0)  # the 2017 paper's: none; done by hand and documented; run automatically
# The 2017 paper's bands of the final score: (more than, in words).
BANDS: Final = (
    (5.0, "exceptional levels of automated testing and monitoring"),
    (3.0, "strong levels of automated testing and monitoring, but more could be done"),
    (2.0, "reasonably tested, but more of the infrastructure could be automated"),
    (1.0, "a first pass at basic productionisation, but additional investment may be needed"),
    (0.0, "not totally untested, but serious holes may be there"),
    (-1.0, "more of a research project than a productionised system"),
)
FEWEST_VERSIONS: Final = 3

Found = Callable[[Report], str]  # what this log shows of it, "" for nothing


class Test(NamedTuple):
    name: str  # section and number, as in "infra 4"
    title: str
    evidence: str
    how: str  # where evidence comes from, or why none can
    found: Found

    @property
    def section(self) -> str:
        return self.name.partition(" ")[0]


class Line(NamedTuple):
    test: Test
    found: str
    points: float | None  # the team's answer


class AnswersError(Exception):
    """Answers that are none; the message is a whole sentence."""


def _nothing(_: Report) -> str:
    return ""


def _each(report: Report, say: Callable[[Candidate], str]) -> str:
    """What is said of each candidate with pairs."""
    said = {plain(name): say(candidate) for name, candidate in report.candidates.items() if candidate.pairs}
    return "; ".join(f"{name}: {text}" for name, text in said.items() if text)


def _versions(report: Report) -> str:
    def say(candidate: Candidate) -> str:
        known = [", ".join(map(plain, candidate.versions[role])) for role in ("production", "shadow")]
        return f"{known[0]} → {known[1]}" if all(known) else ""

    return _each(report, say)


def _candidates(report: Report) -> int:
    return sum(bool(candidate.pairs) for candidate in report.candidates.values())


def _several(report: Report) -> str:
    count = _candidates(report)
    return f"{count} candidates beside production" if count >= 2 else ""


def _ages(report: Report) -> str:
    versions = {version for candidate in report.candidates.values() for version in candidate.versions["shadow"]}
    return f"{len(versions)} versions answered the same traffic" if len(versions) >= FEWEST_VERSIONS else ""


def _slices(report: Report) -> str:
    def say(candidate: Candidate) -> str:
        return ", ".join(f"{plain(name)} ({len(values)} values)" for name, values in candidate.slices.items())

    return _each(report, say)


def _gate(report: Report) -> str:
    return _each(report, lambda c: f"{len(c.gates)} gates, {c.verdict}" if c.gates and c.verdict else "")


def _canary(report: Report) -> str:
    def say(candidate: Candidate) -> str:
        rate = candidate.errors.candidate_rate
        high = "" if rate.high is None else f", at most {percent(rate.high)}"
        return f"errors on {percent(rate.estimate)}{high}, of {rate.n:,} live requests" if rate.n else ""

    return _each(report, lambda c: say(c) if c.origin != "replay" else "")


def _serving(report: Report) -> str:
    return _each(report, lambda c: f"{c.pairs:,} live requests served" if c.origin != "replay" else "")


def _invariants(report: Report) -> str:
    return _each(report, lambda c: f"{len(c.fields)} fields of answers compared" if c.fields else "")


def _nonfinite(report: Report) -> str:
    def say(candidate: Candidate) -> str:
        found = candidate.nonfinite
        return f"NaN, Inf or null in {found.b + found.on_both:,} of {found.n:,} answers" if found.n else ""

    return _each(report, say)


def _latency(report: Report) -> str:
    return _each(report, lambda c: f"{c.latency_ms.pairs:,} latencies within pairs" if c.latency_ms.pairs else "")


def _labels(report: Report) -> str:
    return _each(
        report, lambda c: f"right on {percent(c.accuracy.shadow.estimate)} of {c.accuracy.shadow.n:,} labelled"
        if c.accuracy is not None else "",
    )  # fmt: skip


def _ids(report: Report) -> str:
    return _each(report, lambda c: "every request is kept by its id" if c.pairs else "")


# statistics.md §1.2: title, what a paired log can give, and how.
TESTS: Final[tuple[Test, ...]] = (
    Test("data 1", "Feature expectations are captured in a schema", PARTIAL,
         "requests are logged; a schema can be learnt from them", _nothing),
    Test("data 2", "All features are beneficial", PARTIAL,
         "a candidate without the feature, and labels", _nothing),
    Test("data 3", "No feature's cost is too much", PARTIAL,
         "a candidate without the feature: its latency beside", _nothing),
    Test("data 4", "Features adhere to meta-level requirements", PARTIAL,
         "sql over logged requests for fields that must not be there", _nothing),
    Test("data 5", "The data pipeline has appropriate privacy controls", NONE,
         "the log itself is such data: redaction, retention and forget are the tool's, not the model's", _nothing),
    Test("data 6", "New features can be added quickly", NONE,
         "a matter of the team's process", _nothing),
    Test("data 7", "All input feature code is tested", NONE,
         "unit tests of that code", _nothing),
    Test("model 1", "Model specs are reviewed and submitted", PARTIAL,
         "`version` of each upstream names what ran", _versions),
    Test("model 2", "Offline and online metrics correlate", PARTIAL,
         "three or more candidates with labels; users' reactions are not seen", _nothing),
    Test("model 3", "All hyperparameters have been tuned", NONE,
         "comparing candidates is choosing, not tuning", _nothing),
    Test("model 4", "The impact of model staleness is known", AUTOMATIC,
         "old versions kept as candidates", _ages),
    Test("model 5", "A simpler model is not better", AUTOMATIC,
         "a simple baseline kept as a candidate", _several),
    Test("model 6", "Model quality is sufficient on important slices", AUTOMATIC,
         "`slices` of a route", _slices),
    Test("model 7", "The model is tested for considerations of inclusion", PARTIAL,
         "a slice of a protected attribute, where requests carry it", _nothing),
    Test("infra 1", "Training is reproducible", AUTOMATIC,
         "two trainings of the same data as two candidates", _several),
    Test("infra 2", "Model specs are unit tested", NONE,
         "unit tests of that code", _nothing),
    Test("infra 3", "The ML pipeline is integration tested", PARTIAL,
         "its serving end, on real traffic", _serving),
    Test("infra 4", "Model quality is validated before serving", AUTOMATIC,
         "gates and the exit code of `report`", _gate),
    Test("infra 5", "The model is debuggable", PARTIAL,
         "`show` and `replay` of single requests", _ids),
    Test("infra 6", "Models are canaried before serving", AUTOMATIC,
         "the candidate loads, and answers live input at all", _canary),
    Test("infra 7", "Serving models can be rolled back", PARTIAL,
         "the former production kept as a candidate; `rollback` swaps", _nothing),
    Test("monitor 1", "Dependency changes result in notification", PARTIAL,
         "two versions of one upstream within a trial are told", _versions),
    Test("monitor 2", "Data invariants hold for inputs", AUTOMATIC,
         "fields compared on live requests; more by sql", _invariants),
    Test("monitor 3", "Training and serving are not skewed", PARTIAL,
         "requests with ids, so that training code can compute them again", _ids),
    Test("monitor 4", "Models are not too stale", AUTOMATIC,
         "`version` of each upstream beside the log's time", _versions),
    Test("monitor 5", "Models are numerically stable", AUTOMATIC,
         "NaN, ±Inf, null for a number, probabilities off [0, 1]", _nonfinite),
    Test("monitor 6", "Computing performance has not regressed", AUTOMATIC,
         "latency within pairs, first token, timeouts", _latency),
    Test("monitor 7", "Prediction quality has not regressed", AUTOMATIC,
         "labels joined later (`--labels`); without them only drift is seen", _labels),
)  # fmt: skip


def lines_of(report: Report, answers: Mapping[str, Any]) -> list[Line]:
    """Raises AnswersError. `answers`: points by a test's name."""
    names = {test.name for test in TESTS}
    unknown = sorted(str(name) for name in answers if name not in names)
    if unknown:
        raise AnswersError(f"{', '.join(unknown)}: expected names of tests, from data 1 to monitor 7")
    for name, points in answers.items():
        if isinstance(points, bool) or points not in POINTS:
            raise AnswersError(f"{name}: expected 0, 0.5 (by hand, documented) or 1 (automatic), found {points}")
    return [
        Line(test, test.found(report) if test.evidence != NONE else "", _points(answers.get(test.name)))
        for test in TESTS
    ]


def _points(answer: Any) -> float | None:
    return None if answer is None else float(answer)


def totals(found: list[Line]) -> dict[str, float] | None:
    """The sums of the four sections and the least of them as `final`; None unless the team answered for every test."""
    if any(line.points is None for line in found):
        return None
    sums = {name: sum(line.points or 0.0 for line in found if line.test.section == name) for name in SECTIONS}
    return {**sums, "final": min(sums.values())}


def band(final: float) -> str:
    return next(words for above, words in BANDS if final > above)


def document(found: list[Line]) -> dict[str, Any]:
    sums = totals(found)
    return {
        "v": 1,
        "tests": [
            {
                "name": line.test.name,
                "title": line.test.title,
                "evidence": line.test.evidence,
                "how": line.test.how,
                "found": line.found or None,
                "points": line.points,
            }
            for line in found
        ],
        "evidence": {name: sum(bool(line.found) for line in found if line.test.section == name) for name in SECTIONS},
        "score": sums,
        "band": None if sums is None else band(sums["final"]),
    }


def text(found: list[Line]) -> Iterator[tuple[str, str]]:
    """(style, line) for a terminal."""
    shown = sum(bool(line.found) for line in found)
    yield "bold", f"ML Test Score: this log is evidence for {shown} of {len(found)} tests"
    for section in SECTIONS:
        of_section = [line for line in found if line.test.section == section]
        yield "", ""
        of_these = sum(bool(line.found) for line in of_section)
        yield "bold", f"{section.capitalize()}: evidence for {of_these} of {len(of_section)}"
        for line in of_section:
            mark = "✓" if line.found else "·" if line.test.evidence != NONE else "–"
            points = "" if line.points is None else f" [{line.points:g}]"
            yield "" if line.found else "dim", f"  {mark} {line.test.name.split()[1]} {line.test.title}{points}"
            lacking = "a shadow cannot show it" if line.test.evidence == NONE else "not in this log"
            yield "dim", f"      {line.found or f'{lacking}: {line.test.how}'}"
    yield "", ""
    yield from _closing(found)


def _closing(found: list[Line]) -> Iterator[tuple[str, str]]:
    sums = totals(found)
    if sums is None:
        yield (
            "",
            "No score is computed: it counts tests that a team has, not what one log shows, and is the least of four",
        )
        yield (
            "",
            "sections. A shadow sees almost nothing of Data. With --answers FILE (points for all 28) it is added up.",
        )
    else:
        each = ", ".join(f"{name} {sums[name]:g}" for name in SECTIONS)
        yield "bold", f"By your answers: {sums['final']:g} of 7, the least of {each}: {band(sums['final'])}"
    yield "dim", "Points for `automatic` need a proxy that runs always and a gate in CI; a report by hand is manual."
    yield "dim", "A shadow sees no effect of acting on the candidate's answers, no feedback loop and no unseen hour."
