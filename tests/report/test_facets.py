from __future__ import annotations

from pathlib import Path

from shadowproxy.report import engine, facets, query, scope, views
from shadowproxy.report.scope import Scope
from shadowproxy.report.source import find
from tests.support.pairs import PairLog, answer, compared, incomparable, timed_out


def test_facets_say_what_the_pairs_say(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=5, warmup=True)
    log.pair(times=40, twin=answer())
    log.pair(times=3, shadow=timed_out(), comparison=incomparable("shadow_incomplete"), route="embed")
    log.pair(times=2, shadow=answer(500, bad=True), comparison=incomparable("status"), route="embed")
    log.pair(comparison=compared(rules="r2"))
    with engine.opened() as con:
        views.load_views(con, find([str(log.write())]))
        scope.choose(con, Scope())
        last_us = con.execute("SELECT max(epoch_us(ts)) FROM pairs").fetchone()
        con.execute("UPDATE chosen SET open_from_us = ?", last_us)  # the last pair's bucket is open
        facets.prepare(con)
        ((cell, span),) = query.spans(con).items()
        assert query.changed_rules(con) == {cell}
        assert query.histogram(con, "shadow_outcome") == {cell: {"complete": 42, "timeout": 3}}
        assert query.histogram(con, "shadow_status")[cell] == {"200": 40, "500": 2}
        assert query.histogram(con, "incomparable_reason") == {cell: {"shadow_incomplete": 3, "status": 2}}
        expected = con.execute(
            "SELECT count(*), count(*) FILTER (warmup), epoch_us(min(ts) FILTER (NOT warmup)), epoch_us(max(ts)), "
            "mode(production_upstream), count(twin_outcome) FROM pairs"
        ).fetchone()
    assert (span.pairs, span.warmup, span.from_us, span.to_us, span.production, span.twin_pairs) == expected
    assert (span.open, span.rules) == (1, ["r1", "r2"])
