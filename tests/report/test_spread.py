"""How far apart the two sides' numbers lie over all pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.pairs import PairLog, compared, incomparable
from tests.support.reports import figures_on


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log")


def numbers(old: Any, new: Any, **more: Any) -> dict[str, Any]:
    return compared("different", labels=(old, new), metrics={"difference": 1.0}, **more)


def test_the_published_distances_come_out_over_pairs(log: PairLog) -> None:
    for old, new in ((0, 5), (1, 6), (3, 8)):  # W([0, 1, 3], [5, 6, 8]) = 5
        log.pair(comparison=numbers(old, new))
    spread = figures_on(log.write()).spread
    assert spread is not None
    assert (spread.items, spread.is_part) == (3, False)
    assert (spread.wasserstein, spread.kolmogorov_smirnov) == (5, 1)
    assert spread.shadow_mean - spread.production_mean == pytest.approx(5)


def test_the_items_of_a_batch_count_each(log: PairLog) -> None:
    log.pair(comparison=numbers([0.25, 0.5], [0.25, 0.75], items=2))
    log.pair(comparison=numbers([0.1, "x"], [0.1, 0.2], items=2))  # what is no number is left out
    spread = figures_on(log.write()).spread
    assert spread is not None
    assert (spread.items, spread.wasserstein) == (3, pytest.approx(0.25 / 3))


def test_labels_that_look_like_numbers_have_no_distribution(log: PairLog) -> None:
    log.pair(times=3, comparison=compared(labels=(4, 9)))
    log.pair(comparison=incomparable("shadow_bad"))
    assert figures_on(log.write()).spread is None


def test_of_a_long_log_the_same_part_is_taken_by_everybody(log: PairLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowproxy.report.spread.MOST_PAIRS", 100)
    for number in range(1000):
        log.pair(comparison=numbers(number, number + 1))
    path = log.write()
    first, second = figures_on(path).spread, figures_on(path).spread
    assert first is not None
    assert first == second
    assert first.is_part
    assert 50 < first.items < 200
    assert first.wasserstein == pytest.approx(1)
