"""Scores of other packages: the example of the docs, and what cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shadowproxy.compare import compile_rules
from shadowproxy.compare.lift import write_json
from shadowproxy.compare.own import OwnScore
from shadowproxy.settings.extensions import own_scores
from shadowproxy.settings.snapshot import Prediction, Route
from tests.compare.exchanges import compared
from tests.support import scores as packages

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-scores.md"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes `module` with its entry points."""
    return lambda *package: packages.install(tmp_path, monkeypatch, *package)


def found() -> tuple[dict[str, OwnScore], dict[str, str]]:
    refused: dict[str, str] = {}
    own = own_scores(refused.__setitem__)
    return {score.name: score for score in own}, refused


def test_the_example_of_the_docs_measures_what_it_says(install: Install) -> None:
    page = PAGE.read_text()
    point = re.search(r'^price = "(.*)"$', page, re.M)
    source = re.search(r"```python\n(.*?)```", page, re.S)
    at = re.search(r'prediction: \{at: "(.*?)", is: number\}', page)
    bodies = re.findall(r'`(\{"quotes".*?\})`', page)
    assert point
    assert source
    assert at
    install("pricing.scores", source[1], f"price = {point[1]}")
    scores, refused = found()
    assert refused == {}
    rules = compile_rules(Route(prediction=Prediction(at=at[1], kind="number")), (scores["price"],))
    metrics = compared(bodies[0].encode(), bodies[1].encode(), rules).metrics
    assert (metrics["price_gap"], metrics["price_dearer"]) == (5, 0.5)
    assert "gives `price_gap` 5 and `price_dearer` 0.5" in page.replace("\n", " ")


UNUSABLE = [
    ("Upper = odd_a:f", "f = print", "Upper", "lower-case"),
    ("gone = odd_b:g", "f = print", "gone", "cannot be imported: AttributeError"),
    ("broken = odd_c:f", "raise RuntimeError('no')", "broken", "cannot be imported: RuntimeError: no"),
    ("number = odd_d:f", "f = 3", "number", "is no function"),
]


@pytest.mark.parametrize(("point", "source", "name", "why"), UNUSABLE)
def test_a_score_that_cannot_be_used_is_left_out_and_says_why(
    install: Install, point: str, source: str, name: str, why: str
) -> None:
    install(point.partition(" = ")[2].partition(":")[0], source, point)
    scores, refused = found()
    assert name not in scores
    assert why in refused[name]


def test_of_two_with_one_name_the_first_counts(install: Install) -> None:
    install("twice_a", "def f(pair): return 1", "same = twice_a:f")
    install("twice_b", "def f(pair): return 2", "same = twice_b:f")
    scores, refused = found()
    assert scores["same"].origin == "twice_a:f"
    assert "twice_b:f is left out" in refused["same"]


GIVEN = [
    (lambda pair: 2, {"own": 2}),
    (lambda pair: True, {"own": 1}),
    (lambda pair: None, {}),
    (lambda pair: float("nan"), {}),
    (lambda pair: {"a": 1, "b": None, "c": float("inf")}, {"own_a": 1}),
    (lambda pair: 1 / 0, {"own_failed": 1}),
    (lambda pair: "x", {"own_failed": 1}),
    (lambda pair: [], {"own_failed": 1}),
    (lambda pair: {"label": len(pair.production)}, {"own_label": 1}),
    (lambda pair: len(pair.production_answer) + len(pair.other_answer), {"own": 2}),
    (lambda pair: pair.kind == "label" and pair.protocol == "", {"own": 1}),
]


@pytest.mark.parametrize(("call", "expected"), GIVEN)
@pytest.mark.parametrize("other", ["a", "b"])
def test_what_a_score_gives_becomes_metrics(call, expected: dict[str, float], other: str) -> None:  # type: ignore[no-untyped-def]
    rules = compile_rules(Route(prediction=Prediction(at="$.label", kind="label")), (OwnScore("own", "x:y", call),))
    metrics = compared(write_json({"label": "a"}), write_json({"label": other}), rules).metrics
    assert {name: value for name, value in metrics.items() if name.startswith("own")} == expected


def test_which_scores_are_there_is_part_of_the_rules() -> None:
    own = OwnScore("own", "x:y", lambda pair: 1)
    digests = {compile_rules(Route(), scores).digest for scores in ((), (own,), (OwnScore("own", "x:z", own.call),))}
    assert len(digests) == 3
