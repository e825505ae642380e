"""The record of a window: slices of time, bounded; windows join."""

from __future__ import annotations

from array import array

from shadowproxy.bench.outcome import MAX_SLICES, SLICE_S, Outcome, Stream


def test_answers_fall_into_the_slice_of_their_time() -> None:
    outcome = Outcome()
    outcome.add(array("q", [10**6, 2 * 10**6]), 0.1)
    outcome.add(array("q", [10**6]), 3 * SLICE_S, failed=1)
    assert [(each.latency.count, each.failed) for each in outcome.slices] == [(2, 0), (0, 0), (0, 0), (1, 1)]
    assert outcome.latency.count == 3


def test_a_long_run_has_wider_slices_and_not_more_of_them() -> None:
    outcome = Outcome()
    for k in range(5 * MAX_SLICES):
        outcome.add(array("q", [10**6]), k * SLICE_S)
    assert len(outcome.slices) <= MAX_SLICES
    assert outcome.slice_s == 8 * SLICE_S
    assert sum(each.latency.count for each in outcome.slices) == 5 * MAX_SLICES


def test_windows_join() -> None:
    first, second = Outcome(duration_s=1, offered=2), Outcome(duration_s=1, offered=3, stream=Stream(events=4))
    first.statuses[200] = 2
    second.statuses.update({200: 1, 503: 2})
    second.errors["closed"] = 1
    first.merge(second)
    assert (first.duration_s, first.offered, first.answered, first.ok, first.failed) == (2, 5, 5, 3, 3)
    assert first.stream is not None
    assert first.stream.events == 4


def test_an_outcome_as_json() -> None:
    outcome = Outcome(offered=3)
    outcome.add(array("q", [3_000_000, 1_000_000]), 0)
    outcome.statuses.update({503: 1, 200: 1})
    outcome.errors["closed"] += 1
    assert outcome.as_dict(quantiles=(0.0, 0.999)) == {
        "offered": 3,
        "offered_with_warmup": 0,
        "answered_in_window": 0,
        "statuses": {"200": 1, "503": 1},
        "errors": {"closed": 1},
        "backlog_peak": 0,
        "latency_ms": {"p0": 1.0, "p99.9": 3.0},
        "late_p99_ms": None,
    }
