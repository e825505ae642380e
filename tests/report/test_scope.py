from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shadowproxy.report.scope import ALL, Scope, ScopeError, parse_time
from shadowproxy.settings.snapshot import Pairs, Production, Snapshot
from tests.support.pairs import START, PairLog
from tests.support.reports import figures_on, report_on

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    log = PairLog(tmp_path / "log")
    log.pair(times=2, trial="v2-old", at=0)
    log.pair(times=3, trial="v2-new", at=100, route="rank")
    log.pair(times=4, trial="v2-new", at=200)
    log.pair(times=5, candidate="v3", trial="v3-one", at=50)
    return log.write()


def test_the_newest_trial_is_that_of_the_latest_pair(path: Path) -> None:
    assert {name: c.trial for name, c in report_on(path).candidates.items()} == {"v2": "v2-new", "v3": "v3-one"}


def test_all_trials_are_named_apart(path: Path) -> None:
    candidates = report_on(path, scope=Scope(trial=ALL)).candidates
    assert {name: c.pairs for name, c in candidates.items()} == {"v2": 7, "v2-old": 2, "v3": 5}


def test_one_trial_by_its_id(path: Path) -> None:
    candidates = report_on(path, scope=Scope(trial="v2-old")).candidates
    assert [(c.trial, c.pairs) for c in candidates.values()] == [("v2-old", 2)]


def test_one_candidate_and_one_route(path: Path) -> None:
    candidates = report_on(path, scope=Scope(candidate="v2", route="rank")).candidates
    assert {name: c.pairs for name, c in candidates.items()} == {"v2": 3}


@pytest.mark.parametrize(
    ("since", "until", "pairs"),
    [(None, None, 7), (200, None, 4), (None, 200, 3), (100, 100.5, 3), (101, 199, 0), (201, None, 0)],
)
def test_since_is_inclusive_and_until_is_not(path: Path, since: float | None, until: float | None, pairs: int) -> None:
    scope = Scope(
        since=None if since is None else START + timedelta(seconds=since),
        until=None if until is None else START + timedelta(seconds=until),
    )
    figures = figures_on(path, scope=scope)
    assert figures.pairs == pairs
    assert ("chosen before looking" in figures.headline) is scope.is_chosen


@pytest.mark.parametrize("until", [START, START - timedelta(hours=1)])
def test_hours_that_end_before_they_begin_are_refused(until: datetime) -> None:
    with pytest.raises(ScopeError, match="expected --until to lie behind --since"):
        Scope(since=START, until=until)


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        (Scope(candidate="v9"), "--candidate v9: the log knows v2, v3"),
        (Scope(trial="v2-none"), "--trial v2-none: the log knows v2-new, v2-old, v3-one"),
        (Scope(candidate="v3", trial="v2-old"), "--trial v2-old: the log knows v3-one"),
    ],
)
def test_what_the_log_does_not_know_is_refused_with_what_it_knows(path: Path, scope: Scope, message: str) -> None:
    with pytest.raises(ScopeError) as error:
        report_on(path, scope=scope)
    assert str(error.value) == message


def test_a_trial_that_stands_only_in_the_ledger_is_the_newest(tmp_path: Path) -> None:
    log = PairLog(tmp_path)
    log.pair(times=2, trial="v2-old", at=0)
    log.ledger(trial="v2-old", at=900, eligible=2, sent=2, finished={"complete": 2}, logged=2)
    log.ledger(trial="v2-new", at=600, eligible=5, dropped={"breaker_open": 5})
    log.ledger(trial="v2-new", at=900, eligible=9, dropped={"breaker_open": 9})
    figures = figures_on(log.write())
    assert (figures.trial, figures.pairs) == ("v2-new", 0)
    assert figures.summary == "v2 has had no request yet: 9 of 9 requests: breaker_open (dropped)."
    production = Production(name="v1", urls=("http://127.0.0.1:9001",))
    assert figures.production == "production"  # no pair has said who it was
    assert figures_on(log.write(), snapshot=Snapshot(production=production, pairs=Pairs(dir="x"))).production == "v1"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("90 m", NOW - timedelta(minutes=90)),
        ("1.5d", NOW - timedelta(hours=36)),
        ("2026-03-01T14:00:00Z", START),
        ("2026-03-01T15:00:00+01:00", START),
    ],
)
def test_times_are_rfc_3339_or_so_long_ago(text: str, moment: datetime) -> None:
    assert parse_time(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-01", "2026-03-01T14:00:00", "2", "-2h", "2w", "99999999d"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ScopeError, match="expected a time such as 2026-03-01T14:00:00Z, or 2h"):
        parse_time(text, NOW)
