"""What /metrics says is what the ledger says, to the last request."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.support.ledger import Log, Row
from tests.support.load import Load, returns_the_body
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, response

REQUESTS = 10_000


def fails_now_and_then(connection: Connection, request: Request) -> None:
    body = connection.read_body(request)
    if b"7}" in body:
        connection.reset()
    else:
        connection.send(response(body, "Content-Type: application/json"))


def by(metrics: dict[str, float], name: str, *labels: str) -> Counter[tuple[str, ...]]:
    """The samples of one name added up by some of its labels, without those that are 0."""
    sums: Counter[tuple[str, ...]] = Counter()
    for series, value in metrics.items():
        if re.match(rf"shadowproxy_{name}(\{{|$)", series) and value:
            given = dict(re.findall(r'([a-z]+)="([^"]*)"', series))
            sums[tuple(given[label] for label in labels)] += int(value)
    return sums


def ledger(log: Log, figure: str) -> Counter[tuple[str, ...]]:
    """The ledger's counts of one figure by candidate and reason."""
    sums: Counter[tuple[str, ...]] = Counter()
    for row in log.last_rows().values():
        for reason, count in row[figure].items():
            sums[row["candidate"], reason] += count
    return +sums


def settled(proxy: Proxy) -> dict[str, float] | None:
    """The metrics, once nothing is under way and all is in the log."""
    rows: list[Row] = [row for row in proxy.status()["ledger"] for row in row["rows"]]
    if sum(row["requests"] for row in rows if row["candidate"] == "v2") < REQUESTS:
        return None
    if any(row["in_flight"] for row in rows):
        return None
    metrics = proxy.metrics()
    logged = sum(row["logged"] for row in rows if row["candidate"] != "twin")
    return metrics if by(metrics, "pairs_total")[()] == logged else None


def test_metrics_equal_the_ledger_over_10000_requests_with_two_workers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        production, twin, v2 = (stack.enter_context(Upstream(returns_the_body, keep=64)) for _ in range(3))
        v3 = stack.enter_context(Upstream(fails_now_and_then, keep=64))
        config = {
            "workers": 2,
            "production": {"url": production.url},
            "twin": {"url": twin.url, "sample": "10%"},
            "candidates": [
                {"name": "v2", "url": v2.url, "max_in_flight": 2},
                {"name": "v3", "url": v3.url, "sample": "50%", "breaker": {"failures": 50, "probe": "100ms"}},
            ],
        }
        proxy = stack.enter_context(Proxy(tmp_path, config))
        load = Load(proxy.address, total=REQUESTS)
        load.wait()
        assert load.lost == []
        metrics = until(lambda: settled(proxy), 20, "figures that no longer move", step_s=0.1)
        log = proxy.stop()
    assert by(metrics, "requests_total") == {(): REQUESTS}
    assert by(metrics, "request_duration_seconds_count") == {(): REQUESTS}
    assert by(metrics, "mirrored_total", "candidate", "outcome") == ledger(log, "finished")
    assert by(metrics, "mirror_dropped_total", "candidate", "reason") == ledger(log, "dropped")
    assert by(metrics, "pairs_total", "candidate") == Counter((pair["candidate"],) for pair in log.pairs)
    assert by(metrics, "pairs_total", "candidate", "result") == Counter(
        (pair["candidate"], pair["comparison"]["result"]) for pair in log.pairs
    )
    assert by(metrics, "pairs_unlogged_total") == Counter()
    took = by(metrics, "upstream_duration_seconds_count", "upstream", "role")
    assert took.pop(("production", "production")) == REQUESTS
    with_twin = {pair["id"] for pair in log.pairs if pair["twin"] is not None and pair["twin"]["outcome"] is not None}
    assert 0 < len(with_twin) <= took.pop(("twin", "twin")) <= log.total("twin", "finished")
    assert took == Counter((pair["candidate"], "candidate") for pair in log.pairs)
    assert ledger(log, "finished")["v3", "reset"] > 100
