"""Stored answers compared again by other rules: what changes is the comparison, and nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.cli import call
from shadowproxy.compare import compile_rules
from shadowproxy.pairlog.reader import find as find_log
from shadowproxy.report.recompare import again, recompared
from shadowproxy.report.source import find
from shadowproxy.settings.extensions import own_scores
from shadowproxy.settings.snapshot import Compare, Prediction, Route
from tests.support import scores as packages
from tests.support.pairs import PairLog, answer, compared, differing, noisy

LABEL = Route(name="predict", prediction=Prediction(at="$.label", kind="label"))
IGNORING = Route(name="predict", compare=Compare(ignore=("$.label", "$.score")))


def body(label: str, score: float = 0.5) -> dict[str, Any]:
    return answer(body=json.dumps({"label": label, "score": score}))


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    log = PairLog(tmp_path / "log")
    log.pair(times=3, production=body("a"), shadow=body("a"))
    log.pair(production=body("a"), shadow=body("b"), twin=body("a", 0.6), comparison=differing(), noise=noisy())
    return log


def test_by_the_same_rules_the_same_is_found(log: PairLog, tmp_path: Path) -> None:
    made = recompared(find([str(log.write())]), [LABEL], tmp_path, lambda done, of: None)
    pairs = list(find_log(made.pairs).pairs())
    assert [pair["comparison"]["agrees"] for pair in pairs] == [True, True, True, False]
    assert pairs[3]["noise"]["result"] == "different"
    assert pairs[3]["noise"]["agrees"] is True
    assert {pair["comparison"]["rules"] for pair in pairs} == {compile_rules(LABEL).digest}
    before = list(find_log([log.root]).pairs())
    for old, new in zip(before, pairs, strict=True):
        derived = ("comparison", "noise", "protocol")
        assert {name: value for name, value in new.items() if name not in derived} == {
            name: value for name, value in old.items() if name not in derived
        }


def test_own_scores_are_measured_again_too(log: PairLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "def gap(pair):\n    return abs(pair.other_answer['score'] - pair.production_answer['score'])\n"
    packages.install(tmp_path / "own", monkeypatch, "gaps_again", source, "gap = gaps_again:gap", "ghost = nowhere:f")
    refused: dict[str, str] = {}
    made = recompared(find([str(log.write())]), [LABEL], tmp_path, lambda done, of: None, refuse=refused.__setitem__)
    pairs = list(find_log(made.pairs).pairs())
    assert [pair["comparison"]["metrics"]["gap"] for pair in pairs] == [0, 0, 0, 0]
    assert pairs[3]["noise"]["metrics"]["gap"] == pytest.approx(0.1)
    # As the recorder writes it: a log that it goes on writing has one set of rules.
    assert {pair["comparison"]["rules"] for pair in pairs} == {
        compile_rules(LABEL, own_scores(lambda name, why: None)).digest
    }
    assert list(refused) == ["ghost"]


def test_what_is_ignored_today_no_longer_differs(log: PairLog, tmp_path: Path) -> None:
    made = recompared(find([str(log.write())]), [IGNORING], tmp_path, lambda done, of: None)
    assert {pair["comparison"]["result"] for pair in find_log(made.pairs).pairs()} == {"same"}


@pytest.mark.parametrize(
    ("shadow", "reason"),
    [
        (answer(body=None, body_encoding="not_stored") | {"body_bytes": 9}, "shadow_not_kept"),
        (answer(body=None, body_encoding="withheld") | {"body_bytes": 9}, "shadow_not_kept"),
        (answer(body='{"la') | {"body_truncated": True}, "shadow_truncated"),
        (answer(body="AP8=", body_encoding="base64", headers=[["Content-Encoding", "br"]]), "shadow_not_kept"),
        (answer(500, body="{}"), "shadow_bad"),
    ],
)
def test_what_is_not_kept_whole_cannot_be_compared_again(shadow: dict[str, Any], reason: str, tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(production=body("a"), shadow=shadow, comparison=compared())
    [record] = find_log([log.write()]).pairs()
    found = again(record, {"predict": compile_rules(LABEL)})
    assert (found["comparison"]["result"], found["comparison"]["reason"]) == ("incomparable", reason)


def test_times_and_a_route_that_is_gone_stay(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(route="gone", comparison=differing())
    log.pair(production=body("a"), shadow=body("b"), comparison=compared(latency_ms_difference=7.5, censored=True))
    gone, kept = find_log([log.write()]).pairs()
    rules = {"predict": compile_rules(LABEL)}
    assert again(gone, rules) == gone
    found = again(kept, rules)["comparison"]
    assert (found["latency_ms_difference"], found["censored"], found["agrees"]) == (7.5, True, False)


def test_segments_are_compared_side_by_side(log: PairLog, tmp_path: Path) -> None:
    folder = log.write("1")
    log.write("2")
    told: list[tuple[int, int]] = []
    made = recompared(find([str(folder)]), [LABEL], tmp_path, lambda done, of: told.append((done, of)), jobs=2)
    assert (told, len(list(find_log(made.pairs).pairs()))) == ([(1, 2), (2, 2)], 8)


def test_the_report_on_it(log: PairLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = log.write()
    config = tmp_path / "c.yaml"
    config.write_text(
        "production: {name: v1, url: 'http://127.0.0.1:1'}\n"
        "routes: [{name: predict, match: {path: /predict}, compare: {ignore: ['$.label', '$.score']}}]\n"
    )
    for more, differing_pairs in (([], 0.25), (["--recompare"], 0.0)):
        call(["report", str(folder), "-c", str(config), "--format", "json", *more])
        document = json.loads(capsys.readouterr().out)
        assert document["candidates"]["v2"]["difference"]["estimate"] == differing_pairs
    assert call(["report", str(folder), "--recompare"]) == 2
    assert "--recompare: expected -c FILE" in capsys.readouterr().err
