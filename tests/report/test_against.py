from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.report import windows
from tests.support.pairs import PairLog, answer, differing
from tests.support.reports import report_on

ONE_PAIR_IN = 10  # seconds: three to a bucket


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 requests that three candidates received, and 20 that only one did."""
    made = PairLog(tmp_path_factory.mktemp("against") / "log")
    for number in range(60):
        same = {"at": number * ONE_PAIR_IN, "id": f"both-{number}"}
        made.pair(**same, candidate="v2", trial="t2", shadow=answer(ms=30.0))
        made.pair(**same, candidate="v3", trial="t3", comparison=differing(4, 9) if number < 6 else None)
        made.pair(**same, candidate="v4", trial="t4")
    for number in range(20):
        made.pair(at=number * ONE_PAIR_IN, id=f"alone-{number}", candidate="v2", trial="t2")
    return made.write()


def told(log: Path) -> dict[tuple[str, str], tuple[int, float | None, float | None]]:
    """By candidate and the other: (requests of both, disagreement, slower share)."""
    return {
        (name, other): (found.requests, found.disagreement.estimate, found.slower.estimate)
        for name, candidate in report_on(log).candidates.items()
        for other, found in (candidate.versus or {}).items()
    }


def test_candidates_are_compared_on_the_requests_that_both_received(log: Path) -> None:
    assert told(log) == {
        ("v2", "v3"): (60, -0.1, 1.0),
        ("v2", "v4"): (60, 0.0, 1.0),
        ("v3", "v2"): (60, 0.1, -1.0),
        ("v3", "v4"): (60, 0.1, 0.0),
        ("v4", "v2"): (60, 0.0, -1.0),
        ("v4", "v3"): (60, -0.1, 0.0),
    }


def test_window_by_window_they_come_out_the_same(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = told(log)
    monkeypatch.setattr(windows, "PAIRS", 10)
    assert told(log) == whole
