from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.report.examples import MOST_SIGNS
from tests.report.test_forms import to_columns
from tests.support.pairs import PairLog, answer, compared, differing, differs, incomparable, timed_out
from tests.support.reports import figures_on


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log")


def test_an_example_stands_for_the_pairs_that_depart_alike(log: PairLog) -> None:
    log.pair(times=5)
    first = log.pair(shadow=answer(500, bad=True, body="out of memory"), comparison=incomparable("shadow_bad"))
    log.pair(times=3, shadow=answer(500, bad=True), comparison=incomparable("shadow_bad"))
    log.pair(times=2, shadow=timed_out(), comparison=incomparable("shadow_incomplete"))
    log.pair(times=2, comparison=differing(4, 9))
    log.pair(comparison=differing(1, 7))
    log.pair(comparison=compared("different", differences=[differs("$.score", "value", 0.5, 0.6)]))
    found = figures_on(log.write(), bodies=True).examples
    assert [(one.kind, one.what, one.count) for one in found] == [
        ("fails", "HTTP 500", 4),
        ("fails", "timeout", 2),
        ("decides differently", "4 → 9", 2),
        ("decides differently", "1 → 7", 1),
        ("differs", "$.score", 1),
    ]
    assert (found[0].pair_id, found[0].shadow.body, found[0].shadow.status) == (first, "out of memory", 500)
    assert (found[0].request, found[0].method, found[0].target) == ('{"x": 1}', "POST", "/predict")
    assert [(d.path, d.production, d.shadow) for d in found[4].differences] == [("$.score", "0.5", "0.6")]


def test_what_fails_on_both_sides_is_no_example(log: PairLog) -> None:
    log.pair(production=answer(500, bad=True), shadow=answer(500, bad=True), comparison=incomparable("production_bad"))
    assert figures_on(log.write(), bodies=True).examples == []


def test_bodies_are_cut(log: PairLog) -> None:
    log.pair(shadow=answer(body="é" * (MOST_SIGNS + 1)), comparison=differing())
    (example,) = figures_on(log.write(), bodies=True).examples
    assert (len(example.shadow.body or ""), example.shadow.cut, example.production.cut) == (MOST_SIGNS, True, False)


def test_nothing_is_read_unless_it_is_asked_for(log: PairLog) -> None:
    log.pair(comparison=differing())
    root = log.write()
    assert figures_on(root).examples == []
    assert figures_on(root, bodies=True, examples=False).examples == []


def test_columns_give_the_same_examples_as_lines(log: PairLog) -> None:
    log.pair(times=3, shadow=answer(body='{"label": "b"}'), comparison=differing())
    log.pair(shadow=answer(500, bad=True, body="out of memory"), comparison=incomparable("shadow_bad"))
    root = log.write()
    from_lines = figures_on(root, bodies=True).examples
    to_columns(root, lambda name: True)
    assert not list(root.glob("pairs-*.jsonl"))
    assert figures_on(root, bodies=True).examples == from_lines
    assert [one.shadow.body for one in from_lines] == ["out of memory", '{"label": "b"}']
