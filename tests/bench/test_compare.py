"""The measurement of comparison measures what it says."""

from __future__ import annotations

from bench.compare import LIMITS_US, REQUEST, answer, body, measured, pair
from shadowproxy.compare import assess, compile_rules
from shadowproxy.settings.snapshot import Route


def test_the_pairs_that_are_measured_are_what_they_are_called() -> None:
    rules = compile_rules(Route())
    assert pair(rules, body(), body()).result == "same"
    assert pair(rules, body(), body().replace(b"class_7", b"class_x")).differences_total == 1
    assert 2000 < len(body()) < 2600
    assert assess(rules, *REQUEST, answer(body())).unfit == ""


def test_every_cost_is_a_time_and_every_limit_is_of_one() -> None:
    costs = measured(rounds=1)
    assert all(us > 0 for _, us in costs.values())
    assert LIMITS_US.keys() <= costs.keys()
