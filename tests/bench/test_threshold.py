"""Thresholds: what may be written, what it is held against, and that nothing measured is missed."""

from __future__ import annotations

from array import array

import pytest

from shadowproxy.bench.address import parse as address
from shadowproxy.bench.outcome import Outcome, Stream
from shadowproxy.bench.plan import Plan
from shadowproxy.bench.result import Result, result
from shadowproxy.bench.threshold import ThresholdError, check, parse


def _outcome(ms: int, *, failed: int = 0) -> Outcome:
    outcome = Outcome(duration_s=1.0, offered=100, answered_in_window=100)
    outcome.add(array("q", [ms * 10**6] * 100), 0.0)
    outcome.statuses.update({200: 100 - failed, 500: failed})
    return outcome


def _result(*windows: list[Outcome]) -> Result:
    plans = [Plan(address(f"http://h/{k}"), [b""], None, 1.0) for k in range(len(windows))]
    return result(plans, windows)


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("p99<=20ms", True),
        ("p99 <= 0.02s", True),
        ("p99.9<=9999us", False),
        ("max>=5", True),
        ("mean<=9", False),
        ("error_rate<=3%", True),
        ("error_rate<=.019", False),
        ("rate>=100", True),
        ("rate>=100.5", False),
        ("first_token_p50<=1s", False),  # nothing came as events
        ("p50_ratio<=2x", False),  # there is nothing to compare with
    ],
)
def test_a_threshold_is_met_or_missed(expression: str, met: bool) -> None:
    (found,) = check(parse(expression), _result([_outcome(10, failed=2)]))
    assert (found.is_met, found.expression, found.url) == (met, expression, "http://h/0")


def test_every_address_is_held_against_it_and_ratios_all_but_the_first() -> None:
    run = _result([_outcome(10)] * 5, [_outcome(30)] * 5)
    assert [each.is_met for each in check(parse("p50<=20ms"), run)] == [True, False]
    (found,) = check(parse("p50_ratio<=3.5x"), run)
    assert (found.url, found.is_met) == ("http://h/1", True)
    assert found.value == pytest.approx(3.0, rel=0.01)


def test_events_have_thresholds_of_their_own() -> None:
    outcome = _outcome(50)
    outcome.stream = Stream(events=2)
    outcome.stream.first.add([20 * 10**6])
    outcome.stream.gaps.add([3 * 10**6])
    run = _result([outcome])
    assert check(parse("first_token_p99<=25ms"), run)[0].is_met
    assert not check(parse("gap_max<=2ms"), run)[0].is_met


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("p99", "expected an expression such as"),
        ("p99<20ms", "expected an expression such as"),
        ("p99<=fast", "expected an expression such as"),
        ("p98<=20ms", "there is no metric 'p98'"),
        ("p99<=20%", "p99 takes ms, s, us, there was '%'"),
        ("rate>=5ms", "rate takes no unit"),
        ("error_rate<=1x", "error_rate takes %"),
    ],
)
def test_what_cannot_be_meant_is_said(expression: str, said: str) -> None:
    with pytest.raises(ThresholdError, match=said):
        parse(expression)
