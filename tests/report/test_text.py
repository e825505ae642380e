from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadowproxy.report import text
from shadowproxy.report.render import as_json, as_text
from shadowproxy.report.words import duration, milliseconds, percent, plain, points, span_of
from shadowproxy.settings.snapshot import Pairs, Production, Snapshot
from tests.support.pairs import PairLog, answer, differing, differs, incomparable, noisy, timed_out
from tests.support.reports import report_on

UNJUDGED = Snapshot(production=Production(urls=("http://127.0.0.1:9",)), pairs=Pairs(dir=""), gates=())


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log", every_s=60)


def test_the_first_screen(log: PairLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.pair(times=97, twin=answer())
    log.pair(times=2, twin=answer(), comparison=differing(4, 9, differences=[differs("$.outputs[0].data[0]")]))
    example = log.pair(twin=answer(), shadow=answer(500, bad=True), comparison=incomparable("shadow_bad"))
    log.ledger(requests=2000, excluded={"method": 1899}, eligible=101, dropped={"overload": 1}, sent=100,
               finished={"complete": 100}, logged=100)  # fmt: skip
    log.write()
    monkeypatch.chdir(log.root.parent)
    (log.root.parent / "log").rename("shadow-pairs")
    printed = as_text(report_on(Path("./shadow-pairs")))
    # errors: 1 of 100; decisions: 2 of 99 triples; latency: 99 pairs, all 10 ms
    assert (
        printed
        == f"""\
v2 instead of v1                                                              INCONCLUSIVE
Not decided yet: too few requests so far. About 6,259 requests (4 d 7 h) more at the present rate.
100 requests judged · 2026-03-01 14:00–15:39 UTC, 1 h 39 min · 99 % of those v2 should have had
{"─" * 90}
                           v1         v2         difference (95 %)         limit     verdict
Errors                     0 %†       1 %        +1 pp (−12.9 … 11.5)      0.5 pp    INCONCLUSIVE
Decides differently        0 %*       2.02 %     +2.02 pp (−13.1 … 11.8)   5 pp      INCONCLUSIVE
Any compared field differs –          2.02 %     –                         –         –
Clearly slower (> 25 %)    –          –          0 pp (−13.1 … 11.5)       10 pp     INCONCLUSIVE
NaN, Inf or null           0 %        0 %        0 pp (−12.9 … 11.3)       0         INCONCLUSIVE
Latency, median            10.0 ms†   10.0 ms    +0.00 ms                  –         –
* a second copy of v1 against v1: the noise.    Self-check: whether v1's copy passes these gates is
  not decided yet.
† v1's second copy, which is reached as v2 is.
A latency's difference is that within pairs, not a difference of quantiles.
Not comparable: 1 % of requests (1 v2 failed or refused).
Fields that differ                                        kind          pairs       noise
  $.outputs[*].data[*]                                    value             2           0
What is not known: whether v2's answers are right (no labels); its latency above 5 % of v1's load;
  what acting on v2's answers would change; hours that this trial has not seen.
Next: 1 of v2's errors are HTTP 500 on route "predict"
        shadowproxy show {example}
      largest class flow: 4→9 (2)
      most changed field: $.outputs[*].data[*] (value, 2)
        shadowproxy show 01900000-0000-7000-8000-000000000098

100 pairs in 2 file(s)
"""
    )


def test_nothing_claims_certainty_where_nothing_is_judged(log: PairLog) -> None:
    log.pair(times=50, twin=answer())
    printed = as_text(report_on(log.write(), gates=(), snapshot=UNJUDGED)).lower()
    assert "nothing was judged: no gates are set." in printed
    for word in ("pass", "fail:", "promote", "safe", "significant", "guarantee", "no difference", "confidence"):
        assert word not in printed


def test_several_candidates_have_a_screen_each(log: PairLog) -> None:
    log.pair(times=2, candidate="v2")
    log.pair(times=3, candidate="v3", trial="v3-1", shadow=timed_out(), comparison=incomparable("shadow_incomplete"))
    found = report_on(log.write())
    printed = as_text(found)
    assert printed.startswith("2 candidates: v2 INCONCLUSIVE, v3 INCONCLUSIVE.")
    assert printed.count("instead of v1") == 2
    assert "3 v3 gave no whole answer" in printed


def test_a_candidate_that_is_warming_up_says_so(log: PairLog) -> None:
    log.pair(times=12, warmup=True)
    printed = as_text(report_on(log.write()))
    assert "Not decided yet: v2 is still warming up." in printed
    assert "12 more while warming up" in printed


def test_hostile_text_is_escaped_and_lines_stay_short(log: PairLog) -> None:
    nasty = "\x1b[2J\x1b]0;x\x07 [bold red]\u202e\n\r" + "y" * 500
    log.pair(times=2, candidate=nasty, route=nasty, trial="t", shadow=answer(500, bad=True), noise=noisy(nasty),
             comparison=incomparable(nasty, differences=[]))  # fmt: skip
    log.pair(times=2, candidate=nasty, route=nasty, trial="t", comparison=differing(nasty, nasty + "!",
             differences=[differs(nasty, nasty)]))  # fmt: skip
    rows = [row for _, row in text.lines(report_on(log.write()))]
    assert all(sign.isprintable() for row in rows for sign in row)
    assert any("[bold red]" in row for row in rows)  # markup is text
    commands = [row for row in rows if row.lstrip().startswith("shadowproxy show")]
    assert all(len(row) <= text.WIDTH for row in rows if row not in commands)


def test_json_has_the_keys_of_the_contract(log: PairLog) -> None:
    log.pair(times=30, shadow=timed_out(), comparison=incomparable("shadow_incomplete"))
    document = json.loads(as_json(report_on(log.write())))
    assert {"v", "headline", "verdict", "window", "sources", "terms", "hints", "candidates"} == set(document)
    assert document["window"] == {"from": "2026-03-01T14:00:00.000000Z", "to": "2026-03-01T14:29:00.000000Z"}
    assert document["sources"] == {"files": 1, "pairs": 30, "torn_lines": 0, "bad_lines": 0}
    candidate = document["candidates"]["v2"]
    wanted = "trial headline verdict pairs coverage ledger outcomes errors disagreement difference noise "
    wanted += "excess_disagreement latency_ms stream fields classes metrics slices routes self_check labels accuracy "
    assert set((wanted + "versus gates").split()) <= set(candidate)
    assert set(candidate["disagreement"]) == {"estimate", "low", "high", "n", "method"}
    assert {"p50", "p90", "p99", "low", "high"} == set(candidate["latency_ms"]["difference"])
    assert candidate["latency_ms"]["shadow"]["p50"] is None
    assert "shadow.p50" in candidate["latency_ms"]["infinite"]


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "–"), (0, "0 %"), (1, "100 %"), (0.0002, "0.02 %"), (0.0124, "1.24 %"), (0.034, "3.4 %"),
        (0.987, "98.7 %"), (0.00001, "<0.01 %"), (0.99999, ">99.9 %"), (1.5, "150 %"),
    ],
)  # fmt: skip
def test_percent(share: float | None, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("difference", "shown"),
    [
        (None, "–"),
        (0.0, "0 pp"),
        (0.0122, "+1.22 pp"),
        (-0.02, "−2 pp"),
        (0.00001, "<+0.01 pp"),
        (-0.00001, ">−0.01 pp"),
    ],
)
def test_points(difference: float | None, shown: str) -> None:
    assert points(difference) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "–"),
        (0.5, "0.50 ms"),
        (12.34, "12.3 ms"),
        (1234.5, "1,234 ms"),
        (float("inf"), "timed out"),
        (-3.0, "−3.00 ms"),
        (-0.004, "0.00 ms"),
    ],
)
def test_milliseconds(ms: float | None, shown: str) -> None:
    assert milliseconds(ms) == shown


def test_durations_and_spans() -> None:
    assert [duration(s) for s in (0.2, 59, 3600, 7800, 90061)] == [
        "less than 1 s",
        "59 s",
        "1 h",
        "2 h 10 min",
        "1 d 1 h",
    ]
    assert span_of("2026-03-01T14:00:00.5Z", "2026-03-01T14:00:59Z") == "2026-03-01 14:00:00–14:00:59 UTC"
    assert span_of("2026-03-01T14:00:00Z", "2026-03-02T14:00:00Z") == "2026-03-01 14:00 – 2026-03-02 14:00 UTC"


def test_plain_cuts_and_escapes() -> None:
    assert plain("a\x1bb\nc") == "a\\x1bb\\nc"
    assert plain("é漢字") == "é漢字"
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert plain("\ud800\u202e") == "\\ud800\\u202e"
