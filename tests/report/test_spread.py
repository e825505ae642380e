"""How far apart the two sides' numbers lie over all pairs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shadowproxy.report.html.page import html
from shadowproxy.report.markdown import markdown
from shadowproxy.report.render import as_text
from tests.support.pairs import PairLog, compared, incomparable
from tests.support.reports import figures_on, report_on


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


def test_every_form_for_people_says_how_far_apart_the_numbers_lie(log: PairLog) -> None:
    for old, new in ((0, 5), (1, 6), (3, 8)):
        log.pair(comparison=numbers(old, new))
    found = report_on(log.write())
    said = (
        "Numbers decided, over 3 items: mean v1 1.33, v2 6.33; distributions apart by 1 (Kolmogorov-Smirnov, at most "
        "1) and 5 (Wasserstein, in their own unit)."
    )
    printed = as_text(found)
    assert said in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 100
    assert f"<sub>{said}</sub>" in markdown(found)
    page = html(found)
    assert said in page
    table = page[page.index("The numbers that both decided") :]
    cells = re.findall(r"<th scope=.row.>([^<]+)</th><td class=.n.><span[^>]*>([^<]+)</span>", table)[:4]
    assert cells == [("mean of v1", "1.33"), ("mean of v2", "6.33"), ("Kolmogorov-Smirnov", "1"), ("Wasserstein", "5")]


def test_without_numbers_no_form_speaks_of_them(log: PairLog) -> None:
    log.pair(times=3, comparison=compared(labels=("cat", "dog")))
    found = report_on(log.write())
    for form in (as_text, markdown, html):
        assert "Numbers decided" not in form(found)


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
