"""The scorecard says what a log shows, and never a score that nobody answered for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from shadowproxy.cli import call
from shadowproxy.report.scorecard import AUTOMATIC, NONE, PARTIAL, SECTIONS, TESTS, band, lines_of, totals
from tests.support.pairs import PairLog, answer, compared
from tests.support.reports import report_on

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    log = PairLog(tmp_path / "log")
    log.pair(
        times=30,
        production=answer(version="1.0"),
        shadow=answer(version="2.0"),
        slices={"country": "DE"},
        comparison=compared(metrics={"nonfinite_shadow": 0.0}),
    )
    return log.write()


def test_the_table_is_the_papers() -> None:
    assert Counter(test.section for test in TESTS) == dict.fromkeys(SECTIONS, 7)
    assert Counter(test.evidence for test in TESTS) == {AUTOMATIC: 11, PARTIAL: 12, NONE: 5}
    assert [test.name for test in TESTS if test.evidence == NONE] == [
        "data 5",
        "data 6",
        "data 7",
        "model 3",
        "infra 2",
    ]


def test_evidence_is_what_this_log_has(path: Path) -> None:
    found = {line.test.name: line.found for line in lines_of(report_on(path), {})}
    assert found["model 1"] == "v2: 1.0 → 2.0"
    assert found["model 6"] == "v2: country (1 values)"
    assert "of 30 live requests" in found["infra 6"]
    assert found["monitor 6"] == "v2: 30 latencies within pairs"
    for absent in ("model 4", "model 5", "monitor 7", "data 1", "data 7"):
        assert found[absent] == ""


def test_a_replay_is_no_canary(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(times=30, origin="replay")
    found = {line.test.name: line.found for line in lines_of(report_on(log.write()), {})}
    assert (found["infra 6"], found["infra 3"]) == ("", "")


def test_no_score_is_made_of_evidence(path: Path, capsys: Captured) -> None:
    assert call(["scorecard", str(path)]) == 0
    out = capsys.readouterr().out
    assert "No score is computed" in out
    assert "By your answers" not in out
    assert call(["scorecard", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["score"], document["band"], len(document["tests"])) == (None, None, 28)


def test_with_all_answers_the_least_section_is_the_score(path: Path, tmp_path: Path, capsys: Captured) -> None:
    points = {test.name: 1 if test.section != "data" else 0.5 for test in TESTS}
    file = tmp_path / "answers.yaml"
    file.write_text("".join(f"{name}: {value}\n" for name, value in points.items()))
    assert call(["scorecard", str(path), "--answers", str(file)]) == 0
    assert "By your answers: 3.5 of 7, the least of data 3.5, model 7, infra 7, monitor 7" in capsys.readouterr().out
    del points["data 1"]
    assert totals(lines_of(report_on(path), points)) is None


@pytest.mark.parametrize(
    ("final", "words"),
    [(0, "research project"), (0.5, "serious holes"), (1, "serious holes"), (1.5, "first pass"), (2, "first pass"),
     (3, "reasonably tested"), (5, "strong levels"), (5.5, "exceptional")],
)  # fmt: skip
def test_bands_are_those_of_2017(final: float, words: str) -> None:
    assert words in band(final)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("infra 9: 1\n", "infra 9: expected names of tests"),
        ("infra 4: 2\n", "infra 4: expected 0, 0.5"),
        ("infra 4: true\n", "infra 4: expected 0, 0.5"),
        ("- 1\n", "expected a mapping"),
        ("{", "expected YAML or JSON"),
    ],
)
def test_answers_that_are_none(text: str, said: str, path: Path, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(text)
    assert call(["scorecard", str(path), "--answers", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_a_log_without_pairs_exits_3(tmp_path: Path) -> None:
    assert call(["scorecard", str(PairLog(tmp_path).write())]) == 3
