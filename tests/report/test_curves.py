from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.report.curves import MOST_CLASSES, MOST_MOMENTS, confusion
from tests.support.pairs import PairLog, answer, compared, differing, incomparable, noisy, timed_out
from tests.support.reports import figures_on


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    return PairLog(tmp_path / "log", every_s=1)


def test_a_curve_has_every_hundredth_and_ends_where_copies_time_out(log: PairLog) -> None:
    for ms in range(1, 91):
        log.pair(production=answer(ms=float(ms)), shadow=answer(ms=ms + 2.0))
    log.pair(times=10, production=answer(ms=10.0), shadow=timed_out(), comparison=incomparable("shadow_incomplete"))
    curves = figures_on(log.write()).latency_ms.curves
    assert set(curves) == {"production", "shadow", "difference"}  # there is no twin
    # 100 pairs, 90 of them 3 … 92 ms: the share p is reached by the p·100th smallest
    assert curves["shadow"][0] == (0.01, 3.0)
    assert curves["shadow"][89] == (0.9, 92.0)
    assert curves["shadow"][90:] == [(share / 100, None) for share in range(91, 100)]
    assert curves["difference"][49] == (0.5, 2.0)


def test_few_pairs_are_no_curve(log: PairLog) -> None:
    log.pair(times=19)
    assert figures_on(log.write()).latency_ms.curves == {}


def test_time_is_cut_into_stretches_of_whole_buckets(log: PairLog) -> None:
    log.pair(times=30, twin=answer(), shadow=answer(ms=20))  # 14:00:00 to 14:00:29
    log.pair(times=10, twin=answer(), comparison=differing())
    log.pair(times=10, twin=answer(), noise=noisy(), shadow=answer(500, bad=True), comparison=incomparable("x"))
    first, second = figures_on(log.write()).timeline
    assert (first.from_, first.seconds, first.pairs, first.decided) == ("2026-03-01T14:00:00.000000Z", 30.0, 30, 30)
    assert (first.disagreement, first.candidate_errors, first.slower_share) == (0.0, 0.0, 1.0)
    assert (first.candidate_p50_ms, first.reference_p50_ms) == (20.0, 10.0)
    assert (second.pairs, second.decided, second.disagreement, second.candidate_errors) == (20, 10, 1.0, 0.5)
    assert second.noise == 0.0  # of the triples; what the candidate failed is none


def test_a_long_trial_has_no_more_stretches_than_can_be_seen(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=600)
    log.pair(times=500)
    timeline = figures_on(log.write()).timeline
    assert len(timeline) <= MOST_MOMENTS
    assert sum(moment.pairs for moment in timeline) == 500
    assert {moment.seconds % 30 for moment in timeline} == {0.0}


def test_which_class_became_which_is_counted_by_item(log: PairLog) -> None:
    log.pair(times=5, comparison=compared(labels=(4, 4)))
    log.pair(times=2, comparison=differing(4, 9))
    log.pair(comparison=differing([4, 10, 9], [4, 9, 9], items=3, items_disagreeing=1))
    log.pair(comparison=compared(labels=(True, "true")))
    table = figures_on(log.write()).confusion
    assert table is not None
    assert table.labels == ["4", "9", "10", "true"]
    assert table.counts == [[6, 2, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert table.items == 11
    assert table.agreement == pytest.approx(8 / 11)


def test_scores_are_no_classes(log: PairLog) -> None:
    for n in range(30):
        log.pair(comparison=compared(labels=(n / 31, n / 31)))
    assert figures_on(log.write()).confusion is None


def test_kappa_of_a_published_table() -> None:
    # Two readers, 50 grants: both yes 20, both no 15, 5 and 10 apart: p_o = 0.7, p_e = 0.5, κ = 0.4
    # (https://en.wikipedia.org/wiki/Cohen%27s_kappa, "Simple example")
    table = confusion([("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15)])
    assert table is not None
    assert table.kappa == pytest.approx(0.4)


def test_rare_classes_are_not_shown_but_count() -> None:
    flows = [(f"c{n}", f"c{n}", 100 - n) for n in range(20)]
    table = confusion(flows)
    assert table is not None
    assert len(table.labels) == MOST_CLASSES
    assert table.items == sum(n for _, _, n in flows)
    assert table.kappa == pytest.approx(1.0)


def test_one_class_is_no_table() -> None:
    assert confusion([("a", "a", 9)]) is None


def test_what_only_some_formats_draw_is_made_for_them_alone(log: PairLog) -> None:
    log.pair(times=40, comparison=compared(labels=(4, 4)))
    log.pair(comparison=differing(4, 9))
    root = log.write()
    drawn, bare = figures_on(root), figures_on(root, drawn=False)
    assert drawn.latency_ms.curves
    assert drawn.timeline
    assert drawn.confusion
    assert (bare.latency_ms.curves, bare.timeline, bare.confusion) == ({}, [], None)
    assert bare.latency_ms.shadow == drawn.latency_ms.shadow
