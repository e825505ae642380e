"""What the recorder counts: pairs by result, and how long the copies took."""

from __future__ import annotations

from typing import Any

from shadowproxy.recorder.lines import Line
from shadowproxy.recorder.tallies import MAX_TRIALS, Tallies
from shadowproxy.wire import frames
from tests.support import frames as f

LINE = Line("v2", b"{}\n", "same", True, "v2-1")


def test_what_was_counted_is_told_as_totals() -> None:
    tallies = Tallies()
    tallies.logged(
        [LINE, LINE, Line('a"b\\', b"", "different", False, "x"), Line("v2", b"", "incomparable", None, "v2-1")]
    )
    tallies.logged([LINE._replace(trial="v2-2")])
    stats = tallies.stats(99)
    assert stats.counters == {
        'pairs_total{candidate="v2",result="same"}': 3,
        'pairs_total{candidate="a\\"b\\\\",result="different"}': 1,
        'pairs_total{candidate="v2",result="incomparable"}': 1,
        'pairs_decided_total{candidate="v2",trial="v2-1"}': 2,
        'pairs_decided_total{candidate="v2",trial="v2-2"}': 1,
        'pairs_decided_total{candidate="a\\"b\\\\",trial="x"}': 1,
        'pairs_agree_total{candidate="v2",trial="v2-1"}': 2,
        'pairs_agree_total{candidate="v2",trial="v2-2"}': 1,
        'pairs_agree_total{candidate="a\\"b\\\\",trial="x"}': 0,
    }
    assert stats.gauges == {"log_bytes": 99.0}


def test_old_trials_are_counted_under_none_so_that_sums_stay_true() -> None:
    tallies = Tallies()
    for number in range(MAX_TRIALS + 3):
        tallies.logged([LINE._replace(trial=f"v2-{number}")] * 2)
        tallies.stats(0)
    counters = tallies.stats(0).counters
    decided = {key: count for key, count in counters.items() if key.startswith("pairs_decided_total")}
    assert len(decided) == MAX_TRIALS + 1
    assert decided['pairs_decided_total{candidate="v2",trial=""}'] == 6
    assert counters['pairs_total{candidate="v2",result="same"}'] == sum(decided.values()) == 2 * (MAX_TRIALS + 3)


def exchange(role: int, total_ns: int, **more: Any) -> frames.Exchange:
    return f.exchange(role=role, total=total_ns, **more)


def test_copies_are_timed_by_upstream_and_production_s_durations_are_left_to_the_worker() -> None:
    tallies = Tallies()
    dropped = exchange(3, 1, result=0, dropped=2)
    unknown = exchange(3, frames.UNKNOWN)
    names = [("v1", ""), ("twin", ""), ("v2", ""), ("v3", "")]
    tallies.timed([f.exchange(total=10**9), exchange(1, 4_000_000), exchange(2, 2 * 10**9), dropped, unknown], names)
    tallies.timed([f.exchange(total=10**9), exchange(2, 60 * 10**9)], names)
    histograms = tallies.stats(0).histograms
    assert {key: (sum(counts), total) for key, (_, counts, total) in histograms.items()} == {
        'upstream_duration_seconds{upstream="twin",role="twin"}': (1, 0.004),
        'upstream_duration_seconds{upstream="v2",role="candidate"}': (2, 62.0),
    }
    bounds, counts, _ = histograms['upstream_duration_seconds{upstream="v2",role="candidate"}']
    assert (counts[bounds.index(2.5)], counts[-1]) == (1, 1)


def test_the_first_token_is_that_of_the_first_event_with_data() -> None:
    tallies = Tallies()
    body = b": hello\n\ndata: a\n\ndata: b\n\n"
    arrivals = b"".join(frames.arrival(ns, size) for ns, size in ((10**6, 9), (2 * 10**9, 18), (3 * 10**9, 27)))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
    stream = exchange(0, 4 * 10**9, head=head, body=body, arrivals=arrivals)
    silent = stream._replace(role=2, body=b": hello\n\n", arrivals=frames.arrival(10**6, 9))
    tallies.timed([stream, silent], [("v1", ""), ("twin", ""), ("v2", "")])
    firsts = {key: h for key, h in tallies.stats(0).histograms.items() if key.startswith("first_token")}
    assert list(firsts) == ['first_token_seconds{upstream="v1",role="production"}']
    assert firsts['first_token_seconds{upstream="v1",role="production"}'][2] == 2.0
