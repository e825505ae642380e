from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shadowproxy.report.ledger import Ledger, largest_reason
from shadowproxy.report.scope import Scope
from tests.support.pairs import START, PairLog
from tests.support.reports import figures_on


@pytest.fixture
def log(tmp_path: Path) -> PairLog:
    log = PairLog(tmp_path / "log")
    log.pair(times=4)
    return log


def test_the_last_line_of_each_worker_boot_and_route_counts(log: PairLog) -> None:
    log.ledger(at=10, eligible=10, sent=10, finished={"complete": 8}, in_flight=2, logged=8)
    log.ledger(at=20, eligible=20, sent=20, finished={"complete": 18}, in_flight=2, logged=18)
    log.ledger(at=20, worker=1, eligible=30, sent=30, finished={"complete": 29, "timeout": 1}, logged=30)
    log.ledger(at=5, boot=7, eligible=5, sent=5, finished={"complete": 5}, logged=5)
    log.ledger(at=20, route="rank", eligible=100, sampled_out=60, sent=40, finished={"reset": 40}, logged=40)
    log.ledger(at=20, candidate="twin", eligible=1000, sent=1000, finished={"complete": 1000}, logged=1000)
    log.ledger(at=20, trial="v2-other", eligible=1000, sent=1000, finished={"complete": 1000}, logged=1000)
    figures = figures_on(log.write(), scope=Scope(trial="v2-0123456789"))
    ledger = figures.ledger
    assert ledger is not None
    assert (ledger.eligible, ledger.sampled_out, ledger.sent) == (155, 60, 95)  # 20 + 30 + 5 + 100
    assert ledger.finished == {"complete": 52, "reset": 40, "timeout": 1}  # 18 + 29 + 5
    assert ledger.laws_hold
    assert figures.coverage.estimate == 93 / 95  # (18 + 30 + 5 + 40) / (155 - 60)
    assert (figures.coverage.method, figures.coverage.n) == ("count", 95)


def test_a_clock_that_was_set_back_does_not_bring_back_what_was_counted_before(log: PairLog) -> None:
    log.ledger(at=3600, eligible=10, sent=10, finished={"complete": 8}, in_flight=2, logged=7)
    log.ledger(at=20, eligible=10, sent=10, finished={"complete": 10}, logged=9, unlogged={"disk": 1})
    log.ledger(at=10, eligible=10, sent=10, finished={"complete": 9}, in_flight=1, logged=9)
    ledger = figures_on(log.write()).ledger
    assert ledger is not None
    assert (ledger.finished, ledger.in_flight, ledger.unlogged) == ({"complete": 10}, 0, {"disk": 1})


def test_a_broken_law_is_named_with_both_sides(log: PairLog) -> None:
    log.ledger(requests=10, eligible=9, sent=9, finished={"complete": 9}, logged=9)
    figures = figures_on(log.write())
    assert figures.ledger is not None
    assert not figures.ledger.laws_hold
    assert figures.ledger.broken == ["requests is 10, but unmatched + Σ excluded + eligible is 9"]
    assert any("does not balance" in hint for hint in figures.hints)


def test_since_takes_the_totals_before_it_off(log: PairLog) -> None:
    log.ledger(at=10, eligible=100, sent=100, finished={"complete": 50}, in_flight=50, logged=50)
    log.ledger(at=20, eligible=140, sent=140, finished={"complete": 140}, logged=130, unlogged={"disk": 10})
    log.ledger(at=30, eligible=999, sent=999, finished={"complete": 999}, logged=999)
    scope = Scope(since=START + timedelta(seconds=15), until=START + timedelta(seconds=25))
    ledger = figures_on(log.write(), scope=scope).ledger
    assert ledger is not None
    assert (ledger.eligible, ledger.logged, ledger.unlogged) == (40, 80, {"disk": 10})  # 140 - 100, 130 - 50
    assert ledger.laws_hold


def test_without_a_ledger_coverage_is_not_known(log: PairLog) -> None:
    figures = figures_on(log.write())
    assert (figures.coverage.estimate, figures.ledger, figures.load) == (None, None, None)
    assert any("no ledger" in hint for hint in figures.hints)


def test_pairs_that_the_files_do_not_hold_are_missed(log: PairLog) -> None:
    log.ledger(eligible=9, sent=9, finished={"complete": 9}, logged=9)
    assert "The ledger counts 5 pairs of v2 that these files do not hold." in figures_on(log.write()).hints


def test_the_share_of_productions_load(log: PairLog) -> None:
    # pairs at 0, 1, 2 and 3 s: 240 requests in 3 s, of which 12 were sent
    log.ledger(requests=200, eligible=200, sampled_out=188, sent=12, finished={"complete": 12}, logged=12)
    log.ledger(route=None, requests=40, unmatched=40)
    figures = figures_on(log.write())
    assert figures.load is not None
    assert (figures.load.share, figures.load.candidate_per_s, figures.load.production_per_s) == (0.05, 4.0, 80.0)
    assert "its latency above 5 % of v1's load" in figures.not_known


@pytest.mark.parametrize(
    ("ledger", "reason"),
    [
        (None, "no request has come"),
        (Ledger(), "no request has come"),
        (Ledger(requests=9, unmatched=8, excluded={"method": 1}), "8 of 9 requests: no route matched"),
        (Ledger(requests=9, excluded={"paused": 9}), "9 of 9 requests: paused (excluded)"),
        (Ledger(requests=9, eligible=9, sampled_out=9), "9 of 9 requests: sampled out"),
        (Ledger(requests=9, eligible=9, sent=9, in_flight=9), "9 of 9 requests: still in flight"),
    ],
)
def test_why_a_candidate_had_nothing(ledger: Ledger | None, reason: str) -> None:
    assert largest_reason(ledger) == reason
