from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import course, looks, needed, union
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.judge import judge
from shadowproxy.stats.methods import Levels
from shadowproxy.stats.verdict import Reason
from tests.stats.steady import FACTS, TERMS, steady

ERRORS = Gate("error_rate_increase", 0.005)
LEVELS = Levels(0.05, 0.05)


def multiple(gate: Gate, evidence: Evidence) -> float | None:
    return needed.multiple(course.run(gate, evidence, looks.schedule(len(evidence.buckets)), LEVELS))


def high(n: float) -> float:
    return float(union.high_end(0.003 * n, 0.001 * n, n, 0.05)[0])


def test_it_is_the_smallest_number_of_pairs_that_clears_the_limit() -> None:
    factor = multiple(ERRORS, steady(50, only_candidate_bad=0.3, only_reference_bad=0.1))
    assert factor is not None
    n = round(factor * 5000)
    assert high(n) <= 0.005 < high(n - 1)


def test_a_fail_is_waited_for_as_well() -> None:
    factor = multiple(ERRORS, steady(40, only_candidate_bad=1))
    assert factor is not None
    n = round(factor * 4000)
    assert (
        float(union.low_end(0.01 * n, 0, n, 0.05)[0]) > 0.005 >= float(union.low_end(0.01 * (n - 1), 0, n - 1, 0.05)[0])
    )


def test_what_is_decided_needs_no_more() -> None:
    assert multiple(ERRORS, steady(50)) == 1


def test_a_value_at_the_limit_is_never_decided() -> None:
    assert multiple(ERRORS, steady(50, only_candidate_bad=0.5)) is None


def test_nothing_says_nothing_about_more() -> None:
    assert (
        multiple(ERRORS, Evidence(np.empty(0, dtype=np.int64), {name: np.empty(0) for name in steady().columns}))
        is None
    )


def test_what_must_not_happen_waits_for_a_small_upper_end() -> None:
    factor = multiple(Gate("nonfinite_increase", 0.0), steady(25))
    assert factor is not None
    n = round(factor * 2500)
    assert float(union.high_end(0, 0, n, 0.05)[0]) <= 0.001 < float(union.high_end(0, 0, n - 1, 0.05)[0])


def test_the_time_is_at_the_trials_rate_with_its_pauses() -> None:
    steadily = steady(50, only_candidate_bad=0.3, only_reference_bad=0.1)
    with_pauses = Evidence(steadily.buckets * 2 - 1000, steadily.columns)  # every other bucket is empty
    quick, slow = (judge([ERRORS], {None: evidence}, FACTS, TERMS).needed for evidence in (steadily, with_pauses))
    assert quick is not None
    assert slow is not None
    assert quick.more == slow.more == quick.pairs - 5000
    assert quick.seconds == pytest.approx(quick.more / 100 * 30, rel=1e-3)  # 100 pairs in 30 s
    assert slow.seconds == pytest.approx(quick.seconds * 99 / 50, rel=1e-3)  # 99 buckets long


def test_it_is_never_before_the_next_look() -> None:
    # After 198 buckets the next look comes at 200, and the pairs that are there would do.
    evidence = steady(198, only_candidate_bad=0.3, only_reference_bad=0.1)
    assert looks.following(198) == 199
    found = judge([ERRORS], {None: evidence.before(1102)}, FACTS, TERMS)
    assert found.reason is Reason.TOO_FEW_PAIRS
    assert found.needed is not None
    assert found.needed.more >= 100
