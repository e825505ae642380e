from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shadowproxy.report import counting, engine, judged, latencies, scope, views, windows
from shadowproxy.report.latencies import LEVELS, Latencies
from shadowproxy.report.scope import Scope
from shadowproxy.report.source import find
from shadowproxy.stats.facts import Terms
from tests.support.pairs import PairLog, answer, incomparable, timed_out

TERMS = Terms()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes; a twin for most pairs, copies that time out, production that fails."""
    made = PairLog(tmp_path_factory.mktemp("latencies") / "log", every_s=2)
    rng = np.random.default_rng(7)
    for number in range(300):
        shadow, comparison = answer(ms=float(rng.gamma(4, 5))), {}
        if number % 50 == 3:
            shadow, comparison = timed_out(), {"comparison": incomparable("shadow_incomplete")}
        twin = {"twin": answer(ms=float(rng.gamma(4, 4)))} if number % 7 else {}
        made.pair(production=answer(ms=float(rng.gamma(4, 4))), shadow=shadow, **comparison, **twin)
    return made.write()


def asked(log: Path, sql: str) -> tuple[Latencies, list[tuple[object, ...]]]:
    """What is measured, and what the database answers itself."""
    with engine.opened() as con:
        views.load_views(con, find([str(log)]))
        (trial,) = scope.choose(con, Scope())
        cell = (trial.candidate, trial.trial)
        judged.prepare(con, TERMS.bucket_s)
        counted = counting.count(con, TERMS.bucket_s, [])
        found = latencies.latencies(
            con, cell, counted[cell].whole, TERMS, twin_covers=trial.twin_covers, stretch_us=60_000_000
        )
        assert found is not None
        return found, con.execute(sql).fetchall()


SIDES = """
SELECT quantile_disc(production_latency_ms, {0}), quantile_disc(candidate_ms, {0}),
  quantile_disc(twin_latency_ms, {0}) FILTER (twin_outcome = 'complete'),
  quantile_disc(candidate_ms - reference_ms, {0}), count(*) FILTER (twin_outcome = 'complete')
FROM judged WHERE is_timed
"""


def test_quantiles_are_those_of_the_database(log: Path) -> None:
    found, (row,) = asked(log, SIDES.format([0.5, 0.9, 0.95, 0.99]))
    assert found.quantiles == row


def test_curves_are_those_of_the_database(log: Path) -> None:
    found, (row,) = asked(log, SIDES.format(list(LEVELS)))
    for role, expected in zip(("production", "shadow", "twin", "difference"), row, strict=False):
        shown = [float("inf") if value is None else value for _, value in found.curves[role]]
        assert shown == expected


def test_medians_over_time_are_those_of_the_database(log: Path) -> None:
    found, rows = asked(
        log,
        "SELECT epoch_us(ts) // 60000000 * 60000000, quantile_disc(candidate_ms, 0.5), "
        "quantile_disc(reference_ms, 0.5) FROM judged WHERE is_timed GROUP BY ALL",
    )
    assert len(rows) == 10
    assert dict(found.medians) == {start: (candidate, reference) for start, candidate, reference in rows}


def test_a_log_read_in_windows_says_the_same(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = asked(log, "SELECT 1")
    monkeypatch.setattr(windows, "PAIRS", 40)
    assert asked(log, "SELECT 1")[0] == whole


def test_the_interval_of_the_median_lies_around_it(log: Path) -> None:
    found, _ = asked(log, "SELECT 1")
    apart = found.apart
    assert apart is not None
    assert apart.low is not None
    assert apart.high is not None
    assert apart.low < found.quantiles[3][0] < apart.high
