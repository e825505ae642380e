"""What is shown and not gated: intervals, slices, fields, and one candidate against another."""

from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.stats import bernoulli, fields, interval, one_look, slices, union
from shadowproxy.stats.evidence import Evidence, NotCounted
from shadowproxy.stats.versus import versus
from tests.stats.steady import TERMS, changed, steady


def test_a_share_has_the_interval_of_its_sequence() -> None:
    noise = interval.rate(steady(50, noisy=2), "noisy", "triples", TERMS)
    low, high = bernoulli.sequence(100, 5000, 0.05)
    assert (noise.estimate, noise.n) == (pytest.approx(0.02), 5000)
    assert (noise.low, noise.high) == (pytest.approx(float(low[0]), abs=2e-4), pytest.approx(float(high[0]), abs=2e-4))


def test_a_difference_too() -> None:
    found = interval.difference(steady(50), "only_candidate_bad", "only_reference_bad", "exchanges", TERMS)
    low, high = union.sequence(0, 0, 5000, 0.05)
    assert (found.estimate, found.low, found.high) == (0, pytest.approx(low[0]), pytest.approx(high[0]))


def test_one_look_at_a_share() -> None:
    once = interval.rate(steady(50, noisy=2), "noisy", "triples", TERMS, final=True)
    low, high = one_look.rate(100, 5000, 0.05)
    assert (once.low, once.high) == (pytest.approx(low[0]), pytest.approx(high[0]))
    assert once.method.startswith("Clopper-Pearson")


def test_what_is_alike_has_no_interval_before_there_are_buckets() -> None:
    found = interval.difference(steady(19, slower=3), "slower", "faster", "timed", TERMS, alike=True)
    assert (found.estimate, found.low, found.high) == (pytest.approx(0.03), None, None)
    assert interval.difference(steady(20), "slower", "faster", "timed", TERMS, alike=True).high is not None


def test_an_interval_keeps_nothing_from_before_bursts_could_be_seen() -> None:
    quiet_first = changed(steady(60, noisy=3), "noisy", slice(0, 10), 0)
    found = interval.rate(quiet_first, "noisy", "triples", TERMS)
    early = interval.rate(quiet_first.before(1010), "noisy", "triples", TERMS)
    assert found.estimate is not None
    assert found.high is not None
    assert early.high is not None
    assert early.high < 0.01 < found.estimate < found.high


def test_nothing_counted_has_no_estimate() -> None:
    empty = Evidence(np.empty(0, dtype=np.int64), {"noisy": np.empty(0), "triples": np.empty(0)})
    for evidence in (empty, steady(5, triples=0)):
        found = interval.rate(evidence, "noisy", "triples", TERMS)
        assert (found.estimate, found.low, found.high, found.n) == (None, None, None, 0)
    with pytest.raises(NotCounted, match="'nonsense'"):
        interval.rate(empty, "nonsense", "triples", TERMS)


def test_a_bad_slice_is_flagged_among_all_that_were_looked_at() -> None:
    parts = {("country", f"c{number}"): steady(50, only_candidate_bad=1, only_reference_bad=1) for number in range(19)}
    parts["country", "DE"] = steady(50, only_candidate_bad=4, only_reference_bad=1)
    parts["country", "LU"] = steady(4, only_candidate_bad=50)  # 400 pairs: too few to look at
    found = slices.findings(parts, TERMS)
    assert len(found) == 20 * 3
    assert (found[0].part, found[0].metric, found[0].flagged) == (("country", "DE"), "error_rate_increase", True)
    assert found[0].interval.estimate == pytest.approx(0.03)
    assert sum(finding.flagged for finding in found) == 1


def test_chance_among_many_slices_is_not_flagged() -> None:
    rng = np.random.default_rng(5)
    parts = {}
    for number in range(60):
        b, c = rng.poisson(1, 50), rng.poisson(1, 50)
        parts["tier", str(number)] = steady(50).with_columns({"only_candidate_bad": b, "only_reference_bad": c})
    found = slices.findings(parts, TERMS, ["error_rate_increase"])
    assert len(found) == 60
    assert found[0].e_value > 1
    assert not any(finding.flagged for finding in found)


def test_one_burst_flags_no_slice() -> None:
    parts = {("tier", "free"): changed(steady(50), "only_candidate_bad", slice(4, 5), 100)}
    assert not any(finding.flagged for finding in slices.findings(parts, TERMS))


def test_no_slices() -> None:
    assert slices.findings({}, TERMS) == []


def test_fields_are_flagged_above_the_noise() -> None:
    alone = {"$.label": (30, 10), "$.score": (50, 50), "$.id": (400, 410), "$.version": (60, 0)}
    flags = fields.flags(alone, 0.05)
    assert {path for path, flag in flags.items() if flag.flagged} == {"$.version", "$.label"}
    assert flags["$.label"].e_value == pytest.approx(63.227924)  # of the second, 4/(0.05 · 2) = 40 is asked
    assert fields.flags({}, 0.05) == {}


def test_two_candidates_on_what_both_received() -> None:
    counts = {"only_first_bad": 0.0, "only_second_bad": 5.0, "first_slower": 10.0, "second_slower": 10.0}
    found = versus(steady(50, **counts), TERMS)
    assert set(found) == {"errors", "slower"}
    assert found["errors"].estimate == pytest.approx(-0.05)
    assert found["errors"].high is not None
    assert found["errors"].high < 0
    assert found["slower"].low is not None
    assert found["slower"].high is not None
    assert found["slower"].low < 0 < found["slower"].high
    once = versus(steady(50, **counts), TERMS, final=True)
    assert once["errors"].method.startswith("Tango")
