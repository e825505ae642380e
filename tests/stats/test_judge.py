from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shadowproxy.stats import bernoulli, memory, union
from shadowproxy.stats.bins import Bins, index
from shadowproxy.stats.evidence import Evidence, NotCounted
from shadowproxy.stats.facts import Facts, Terms
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.judge import judge, self_check
from shadowproxy.stats.verdict import GateVerdict, Judgement, Reason, Verdict, overall
from tests.stats.steady import FACTS, TERMS, changed, steady

ERRORS = Gate("error_rate_increase", 0.005)
NEVER = Gate("nonfinite_increase", 0.0)
SLOWER = Gate("slower_share", 0.10)
EXCESS = Gate("excess_disagreement", 0.005)
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def one(gate: Gate, evidence: Evidence, facts: Facts = FACTS, terms: Terms = TERMS, **more: bool) -> GateVerdict:
    return judge([gate], {None: evidence}, facts, terms, **more).gates[0]  # type: ignore[arg-type]


def said(verdict: GateVerdict | Judgement) -> tuple[Verdict | None, Reason | None]:
    return verdict.verdict, verdict.reason


# 50 buckets of 100 pairs.
@pytest.mark.parametrize(
    ("gate", "counts", "verdict"),
    [
        (ERRORS, {}, (PASS, None)),
        (ERRORS, {"only_candidate_bad": 5}, (FAIL, None)),  # + 5 pp
        (ERRORS, {"only_candidate_bad": 5, "only_reference_bad": 5}, (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)),
        (ERRORS, {"only_candidate_bad": 0.5}, (INCONCLUSIVE, Reason.AT_THE_LIMIT)),  # + 0.5 pp: it is the limit
        (ERRORS, {"only_reference_bad": 5}, (PASS, None)),  # better
        (NEVER, {}, (PASS, None)),
        (SLOWER, {}, (PASS, None)),
        (SLOWER, {"slower": 30, "faster": 30}, (PASS, None)),
        (SLOWER, {"slower": 40, "faster": 10}, (FAIL, None)),
        (EXCESS, {"only_candidate_disagrees": 3}, (FAIL, None)),
        (Gate("difference", 0.05), {"different": 1}, (PASS, None)),
        (Gate("difference", 0.05), {"different": 12}, (FAIL, None)),
        (Gate("disagreement", 0.05), {"disagreeing": 1}, (PASS, None)),
        (Gate("item_disagreement", 0.05), {"items": 1000, "items_disagreeing": 20}, (PASS, None)),
        (Gate("item_disagreement", 0.05), {"items": 1000, "items_disagreeing": 80}, (FAIL, None)),
        (Gate("timeout_rate", 0.01), {"candidate_timeouts": 5}, (FAIL, None)),
        (Gate("accuracy_drop", 0.01), {"good_to_bad": 1, "bad_to_good": 1}, (INCONCLUSIVE, Reason.NO_LABELS)),
    ],
)
def test_verdicts(gate: Gate, counts: dict[str, float], verdict: tuple[Verdict, Reason | None]) -> None:
    assert said(one(gate, steady(**counts))) == verdict


def test_a_record_says_what_it_stands_on() -> None:
    gate = one(ERRORS, steady(100, only_candidate_bad=0.3, only_reference_bad=0.1))
    # (30, 10, 10000): the oracle's −0.00110 and 0.00508 at the end; earlier looks may have been tighter.
    low, high = union.sequence(30, 10, 10_000, 0.05)
    assert gate.n == 10_000
    assert gate.estimate == pytest.approx(0.002)
    assert gate.low is not None
    assert gate.high is not None
    assert (low[0], high[0]) == (pytest.approx(-0.00110, abs=5e-6), pytest.approx(0.00508, abs=5e-6))
    assert gate.low >= low[0] - 1e-12
    assert gate.high <= high[0] + 1e-12
    assert (gate.reference, gate.method) == (
        "twin",
        "union of two beta-binomial mixture sequences, or wider over time buckets",
    )
    assert one(EXCESS, steady()).reference == "production"
    # NaN is counted against production's own answer: that of the twin says nothing about it.
    assert one(NEVER, steady()).reference == "production"
    assert one(ERRORS, steady(), replace(FACTS, twin_covers=False)).reference == "production"


def test_more_gates_make_a_fail_harder_and_leave_a_pass_alone() -> None:
    evidence = steady(only_candidate_bad=2)
    alone = one(ERRORS, evidence)
    among = judge([ERRORS, NEVER, SLOWER, EXCESS], {None: evidence}, FACTS, TERMS).gates[0]
    assert alone.low is not None
    assert among.low is not None
    assert among.low < alone.low
    assert among.high == alone.high
    low = union.low_end(100, 0, 5000, 0.05 / 4)
    assert among.low == pytest.approx(float(low[0]))


def test_a_verdict_is_a_function_of_the_buckets_alone() -> None:
    """Judged after each bucket or once at the end, nothing changes, and what failed stays failed."""
    evidence = changed(steady(130), "only_candidate_bad", slice(0, 60), 4)
    seen = [one(ERRORS, evidence.before(1000 + closed)).verdict for closed in range(1, 131)]
    whole = one(ERRORS, evidence)
    assert seen[-1] == whole.verdict == FAIL
    assert whole.failed_at is not None
    assert seen.index(FAIL) == whole.failed_at - 1000
    assert set(seen[seen.index(FAIL) :]) == {FAIL}


def test_a_burst_is_one_event() -> None:
    # Half of what came in one bucket failed, and in no other: 50 of 1,500 is far above 0.5 %.
    evidence = changed(steady(15), "only_candidate_bad", slice(3, 4), 50)
    assert said(one(ERRORS, evidence)) == (INCONCLUSIVE, Reason.BURST)


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("at", [3, 30, 80])
def test_a_long_outage_is_named_a_burst_whenever_it_comes(at: int, final: bool) -> None:
    # 200 of 8,400 requests, all within four buckets: were each for itself, 2.4 % would be far above 0.5 %. Four heads
    # of a coin are not, and over 84 buckets such a thing may as well have come to production.
    evidence = changed(steady(84), "only_candidate_bad", slice(at, at + 4), 50)
    gate = one(ERRORS, evidence, final=final)
    assert said(gate) == (INCONCLUSIVE, Reason.BURST if at < 20 or final else Reason.DRIFT)
    assert float(union.low_end(200, 0, 8400, 0.05)[0]) > 0.005


def test_bursts_that_keep_coming_are_no_chance() -> None:
    evidence = changed(steady(15), "only_candidate_bad", slice(0, 15), 50)
    assert one(ERRORS, evidence).verdict is FAIL
    # The one-sided e-value of 8 heads and no tail is 2^8 · 1/9 · (1 − 2^−9) / ½ = 56.8, of 4 heads 12.4: 20 are needed.
    assert one(ERRORS, evidence.before(1004)).verdict is INCONCLUSIVE
    assert one(ERRORS, evidence.before(1008)).verdict is FAIL


def test_an_early_burst_does_not_stand_for_ever() -> None:
    evidence = changed(steady(600), "only_candidate_bad", slice(3, 4), 50)
    assert said(one(ERRORS, evidence.before(1010))) == (INCONCLUSIVE, Reason.BURST)
    later = one(ERRORS, evidence)
    assert later.verdict is PASS  # 50 of 60,000
    assert later.estimate == pytest.approx(50 / 60_000)


def test_the_references_burst_is_no_credit_to_the_candidate() -> None:
    evidence = changed(steady(400, only_candidate_bad=2), "only_reference_bad", slice(1, 2), 80)
    early = one(ERRORS, evidence.before(1010))
    assert said(early) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
    assert early.high is not None
    assert early.high > 0.02  # what the candidate does on its own, whatever the reference did
    assert one(ERRORS, evidence).verdict is FAIL


def test_an_early_quiet_stretch_does_not_stand_for_ever() -> None:
    # Ten buckets without an event, then one in thirty-three, which is the limit: what was quiet says nothing of later.
    gate = Gate("disagreement", 0.03)
    evidence = changed(steady(150, disagreeing=3.1), "disagreeing", slice(0, 10), 0)
    assert one(gate, evidence.before(1010)).verdict is PASS
    later = one(gate, evidence)
    assert later.verdict is INCONCLUSIVE
    assert later.high is not None
    assert later.high > 0.03


def swinging(buckets: int, memory: int, mean: float = 2.0) -> Evidence:
    """Disagreement that doubles and vanishes by turns, `memory` buckets long each."""
    turns = (np.arange(buckets) // memory) % 2
    return steady(buckets).with_columns({"disagreeing": 2 * mean * turns})


def test_buckets_that_resemble_their_neighbours_pass_nothing_until_there_are_many() -> None:
    gate = Gate("disagreement", 0.05)
    assert one(gate, swinging(160, 1)).verdict is PASS  # neighbours that differ are no memory
    waiting = one(gate, swinging(160, 8))
    assert said(waiting) == (INCONCLUSIVE, Reason.TOO_FEW_BUCKETS)
    assert waiting.high is not None
    assert waiting.high <= 0.05  # it is not the interval that withholds it
    assert waiting.worth is not None
    assert waiting.worth < memory.LEAST
    assert waiting.needed is not None
    assert waiting.needed.pairs == pytest.approx(160 * 100 * memory.LEAST / waiting.worth, rel=1e-3)


def test_resembling_neighbours_stand_against_no_fail_and_not_against_what_never_happened() -> None:
    assert one(Gate("disagreement", 0.005), swinging(160, 8, mean=6)).verdict is FAIL
    evidence = swinging(160, 8).with_columns({"only_production_nonfinite": swinging(160, 8).column("disagreeing")})
    assert one(NEVER, evidence).verdict is PASS


def test_an_absolute_rate_fails_only_over_many_buckets() -> None:
    gate = Gate("disagreement", 0.05)
    evidence = steady(30, disagreeing=20)
    assert said(one(gate, evidence.before(1019))) == (INCONCLUSIVE, Reason.TOO_FEW_BUCKETS)
    assert one(gate, evidence.before(1020)).verdict is FAIL


def test_a_burst_of_disagreement_is_no_rate() -> None:
    evidence = changed(steady(40), "disagreeing", slice(0, 3), 100)  # 7.5 % on the whole, all within three buckets
    gate = one(Gate("disagreement", 0.05), evidence)
    assert said(gate) == (INCONCLUSIVE, Reason.BURST)
    assert gate.low is not None
    assert gate.low < 0.05 < float(bernoulli.lower(300, 4000, 0.05)[0])


def test_latency_waits_for_buckets() -> None:
    assert said(one(SLOWER, steady(19))) == (INCONCLUSIVE, Reason.TOO_FEW_BUCKETS)
    assert one(SLOWER, steady(20)).verdict is PASS
    waiting = one(SLOWER, steady(10)).needed
    assert waiting is not None
    assert waiting.pairs == 2000  # 20 buckets of 100


def test_a_rate_that_changed_is_drift() -> None:
    evidence = changed(steady(400), "only_candidate_bad", slice(200, 400), 5)
    assert said(one(ERRORS, evidence)) == (INCONCLUSIVE, Reason.DRIFT)


def test_the_first_event_fails_what_must_not_happen() -> None:
    evidence = changed(steady(50), "only_candidate_nonfinite", slice(17, 18), 1)
    gate = one(NEVER, evidence)
    assert said(gate) == (FAIL, None)
    assert gate.failed_at == 1017
    assert one(NEVER, changed(steady(50), "only_production_nonfinite", slice(17, 18), 1)).verdict is PASS


def test_what_must_not_happen_passes_when_its_upper_end_is_small() -> None:
    # Without events the union's upper end at α/2 is 0.1 % from about 4,900 pairs on.
    few = one(NEVER, steady(20))
    assert said(few) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
    assert few.needed is not None
    enough = few.needed.pairs
    assert float(union.high_end(0, 0, enough, 0.05)[0]) <= 0.001 < float(union.high_end(0, 0, enough - 3, 0.05)[0])
    assert one(NEVER, steady(-(-enough // 100))).verdict is PASS


def test_copies_that_were_not_sent_count_in_the_worst_case_only() -> None:
    evidence = steady(50)
    lost = evidence.with_columns({"lost": np.full(50, 2.0)})
    clean, worst = one(ERRORS, evidence), one(ERRORS, lost)
    assert clean.verdict is PASS
    assert worst.verdict is INCONCLUSIVE
    assert worst.low == clean.low
    assert worst.high is not None
    assert worst.high > 100 / 5100  # 2 of 102
    assert one(NEVER, lost).high == one(NEVER, evidence).high  # that a copy was not sent says nothing of NaN


@pytest.mark.parametrize(
    ("gate", "facts", "terms", "reason"),
    [
        (ERRORS, {"coverage": 0.949}, {}, Reason.COVERAGE),
        (ERRORS, {"coverage": None}, {}, Reason.COVERAGE),
        (ERRORS, {}, {"least_pairs": 5001}, Reason.TOO_FEW_PAIRS),
        (ERRORS, {}, {"least_s": 1501.0}, Reason.TOO_FEW_PAIRS),  # 50 buckets of 30 s
        (ERRORS, {"mixed_versions": True}, {}, Reason.MIXED_VERSIONS),
        (ERRORS, {"rules_changed": True}, {}, Reason.RULES_CHANGED),
        (EXCESS, {"twin_version_differs": True}, {}, Reason.TWIN_UNLIKE_PRODUCTION),
        (SLOWER, {"is_live": False, "twin_covers": False}, {}, Reason.NOT_LIVE),
        (Gate("similarity_loss", 0.02), {"has_twin": False}, {}, Reason.NO_TWIN),
        (EXCESS, {"decides": False}, {}, Reason.NO_DECISION),
    ],
)
def test_what_withholds_a_pass(gate: Gate, facts: dict[str, object], terms: dict[str, float], reason: Reason) -> None:
    quiet = steady(50) if gate is ERRORS else steady(100)
    assert said(one(gate, quiet, replace(FACTS, **facts), replace(TERMS, **terms))) == (INCONCLUSIVE, reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("facts", [{"coverage": 0.2}, {"twin_version_differs": True}, {"coverage": None}])
def test_what_withholds_a_pass_never_stands_against_a_fail(facts: dict[str, object]) -> None:
    broken = steady(50, only_candidate_bad=9, only_candidate_disagrees=9)
    changed_facts = replace(FACTS, **facts)  # type: ignore[arg-type]
    assert one(ERRORS, broken, changed_facts).verdict is FAIL
    assert one(EXCESS, broken, changed_facts, replace(TERMS, least_pairs=10**6)).verdict is FAIL


def test_incomparable_pairs_withhold_what_is_about_outputs() -> None:
    evidence = steady(100, comparable=94)
    assert said(one(EXCESS, evidence)) == (INCONCLUSIVE, Reason.INCOMPARABLE)
    assert one(ERRORS, evidence).verdict is PASS
    assert one(EXCESS, steady(100, comparable=95)).verdict is PASS


def test_a_noisy_twin_is_not_like_production() -> None:
    noisy = steady(400, noisy=6, only_candidate_disagrees=0.1, only_twin_disagrees=0.1)
    assert said(one(EXCESS, noisy)) == (INCONCLUSIVE, Reason.TWIN_UNLIKE_PRODUCTION)


def test_live_latency_may_be_replayed_against_a_twin() -> None:
    assert one(SLOWER, steady(), replace(FACTS, is_live=False, twin_covers=True)).verdict is PASS


def test_without_a_twin_the_excess_is_bounded_by_the_disagreement() -> None:
    alone = replace(FACTS, has_twin=False, twin_covers=False)
    equal = one(EXCESS, steady(50), alone)
    assert said(equal) == (PASS, None)
    assert (equal.estimate, equal.low) == (None, None)
    assert equal.high == one(Gate("disagreement", 0.005), steady(50)).high
    assert said(one(EXCESS, steady(50, disagreeing=9), alone)) == (INCONCLUSIVE, Reason.NO_TWIN)
    assert one(EXCESS, steady(50, disagreeing=9), alone).failed_at is None
    waiting = one(EXCESS, steady(6), alone)
    assert said(waiting) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
    assert waiting.needed is not None


def test_pairs_that_decide_nothing() -> None:
    assert said(one(EXCESS, steady(50, decided=0, triples=0))) == (INCONCLUSIVE, Reason.NO_DECISION)


def test_before_the_first_pair() -> None:
    empty = Evidence(np.empty(0, dtype=np.int64), {name: np.empty(0) for name in steady().columns})
    assert said(one(ERRORS, empty)) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
    warming = one(ERRORS, empty, replace(FACTS, is_warming_up=True))
    assert said(warming) == (INCONCLUSIVE, Reason.WARMING_UP)
    assert (warming.n, warming.estimate, warming.low, warming.high, warming.needed) == (0, None, None, None, None)


def test_only_a_trial_without_a_pair_that_counts_is_warming_up() -> None:
    """What no pair has is not there because of the warm-up, once there are others."""
    seen = replace(FACTS, is_warming_up=True)
    nowhere = Gate("disagreement", 0.05, (("slice", "country:DE"),))
    assert said(one(nowhere, steady(), seen)) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
    assert said(one(nowhere, steady(0), seen)) == (INCONCLUSIVE, Reason.WARMING_UP)


def test_a_gate_on_what_nobody_counted_is_an_error() -> None:
    with pytest.raises(NotCounted, match="only_candidate_misses"):
        one(Gate("slo_miss_increase", 0.01, (("over", "200ms"),)), steady())


def timed(ratio: float, buckets: int = 60, per_bucket: int = 50) -> Evidence:
    rng = np.random.default_rng(6)
    bucket = np.repeat(np.arange(1000, 1000 + buckets), per_bucket)
    reference = rng.lognormal(3, 0.3, buckets * per_bucket)
    candidate = reference * ratio * rng.lognormal(0, 0.05, buckets * per_bucket)
    sides = {"candidate_ms": candidate, "reference_ms": reference}
    bins = {name: Bins(bucket, index(ms), np.ones(len(ms))) for name, ms in sides.items()}
    return replace(steady(buckets, pairs=per_bucket), bins=bins)


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, PASS), (1.2, FAIL), (1.1, INCONCLUSIVE)])
def test_a_ratio_of_medians(ratio: float, verdict: Verdict) -> None:
    gate = one(Gate("latency_p50_ratio", 1.1), timed(ratio))
    assert gate.verdict is verdict
    assert gate.estimate == pytest.approx(ratio, rel=0.01)
    assert gate.low is not None
    assert gate.high is not None
    assert gate.low < ratio * 1.005
    assert gate.high > ratio * 0.995
    assert gate.n == 3000


def test_a_p99_needs_five_hundred_pairs_a_time() -> None:
    gate = one(Gate("latency_p99_ratio", 1.25), timed(1.0))  # 3,000 pairs are six groups of 500
    assert said(gate) == (INCONCLUSIVE, Reason.TOO_FEW_BUCKETS)
    assert one(Gate("latency_p99_ratio", 1.25), timed(1.0, buckets=210)).verdict is PASS


def scored(mean: float) -> Evidence:
    rng = np.random.default_rng(8)
    return steady(100).with_columns(
        {"sum(bleu)": 100 * mean + rng.standard_normal(100), "count(bleu)": np.full(100, 100.0)}
    )


@pytest.mark.parametrize(
    ("limit", "higher", "verdict"),
    [(0.8, True, PASS), (0.95, True, FAIL), (0.9, True, INCONCLUSIVE), (0.95, False, PASS), (0.8, False, FAIL)],
)
def test_a_mean_goes_in_either_direction(limit: float, higher: bool, verdict: Verdict) -> None:
    gate = one(Gate("mean(bleu)", limit, higher_is_better=higher), scored(0.9))
    assert gate.verdict is verdict
    assert gate.estimate == pytest.approx(0.9, abs=0.003)
    assert gate.low is not None
    assert gate.high is not None
    assert gate.low < 0.9 < gate.high


def test_a_loss_of_similarity() -> None:
    rng = np.random.default_rng(8)
    evidence = steady(100).with_columns(
        {"similarity_lost": 1 + 0.1 * rng.standard_normal(100), "similarity_triples": np.full(100, 100.0)}
    )
    gate = one(Gate("similarity_loss", 0.02), evidence)
    assert gate.verdict is PASS
    assert gate.estimate == pytest.approx(0.01, abs=0.001)


def test_the_verdict_of_a_candidate() -> None:
    good, bad, unknown = steady(50), steady(50, only_candidate_bad=9), steady(3)
    assert judge([ERRORS, SLOWER], {None: good}, FACTS, TERMS).verdict is PASS
    assert judge([ERRORS, SLOWER], {None: bad}, FACTS, TERMS).verdict is FAIL
    undecided = judge([ERRORS, SLOWER], {None: unknown}, FACTS, TERMS)
    assert said(undecided) == (INCONCLUSIVE, Reason.TOO_FEW_BUCKETS)
    assert undecided.needed is not None
    assert undecided.needed.more == 1700  # 20 buckets of 100 are needed, 3 are there
    assert undecided.needed.seconds == pytest.approx(17 * 30)
    nothing = judge([], {None: good}, FACTS, TERMS)
    assert (nothing.verdict, nothing.reason, nothing.gates) == (None, None, ())


def test_the_verdict_of_several_candidates() -> None:
    assert overall([PASS, None, FAIL, INCONCLUSIVE]) is FAIL
    assert overall([PASS, None, INCONCLUSIVE]) is INCONCLUSIVE
    assert overall([PASS, PASS]) is PASS
    assert overall([None]) is None


def test_a_gate_that_rejects_production_itself_judges_nobody() -> None:
    twin = steady(50, only_candidate_bad=4)
    gates = [ERRORS, NEVER, EXCESS]
    check = self_check(gates, twin, TERMS)
    assert check.verdict is FAIL
    assert [gate.gate.metric for gate in check.gates] == ["error_rate_increase", "nonfinite_increase"]
    judged = judge(gates, {None: steady(50, only_candidate_bad=4)}, FACTS, TERMS, self_check=check)
    assert said(judged) == (INCONCLUSIVE, Reason.SELF_CHECK)
    assert {gate.reason for gate in judged.gates} == {Reason.SELF_CHECK}
    assert self_check(gates, steady(60), TERMS).verdict is PASS


def test_an_undecided_self_check_stands_in_nobodys_way() -> None:
    check = self_check([ERRORS], steady(1), TERMS)
    assert check.verdict is INCONCLUSIVE
    assert judge([ERRORS], {None: steady(50)}, FACTS, TERMS, self_check=check).verdict is PASS


def test_evidence_about_several_things_passes_and_fails_nothing() -> None:
    broken = steady(50, only_candidate_bad=9)
    judged = judge([ERRORS, Gate("accuracy_drop", 0.01)], {None: broken}, replace(FACTS, mixed_versions=True), TERMS)
    assert {gate.reason for gate in judged.gates} == {Reason.MIXED_VERSIONS}


# Slices.
COUNTRY = Gate("disagreement", 0.05, (("slice", "country:*"),))


def by_country(**pairs_and_disagreeing: tuple[float, float]) -> dict[tuple[str, str] | None, Evidence]:
    parts: dict[tuple[str, str] | None, Evidence] = {None: steady(50)}
    for country, (pairs, disagreeing) in pairs_and_disagreeing.items():
        parts["country", country] = steady(50, pairs=pairs, comparable=pairs, decided=pairs, disagreeing=disagreeing)
    return parts


def test_a_gate_on_one_slice() -> None:
    gate = replace(COUNTRY, options=(("slice", "country:DE"),))
    found = judge([gate], by_country(DE=(40, 10), FR=(60, 0)), FACTS, TERMS).gates[0]
    assert (found.verdict, found.value, found.part, found.n) == (FAIL, "DE", ("country", "DE"), 2000)
    missing = judge([gate], by_country(FR=(60, 0)), FACTS, TERMS).gates[0]
    assert said(missing) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)


def test_every_value_with_enough_pairs_must_pass() -> None:
    good = judge([COUNTRY], by_country(DE=(40, 0), FR=(55, 0), LU=(5, 0.3)), FACTS, TERMS).gates[0]
    assert good.verdict is PASS  # Luxembourg has 250 pairs
    assert [part.value for part in good.parts] == ["DE", "FR", "LU"]
    bad = judge([COUNTRY], by_country(DE=(40, 10), FR=(60, 0)), FACTS, TERMS).gates[0]
    assert (bad.verdict, bad.value) == (FAIL, "DE")
    open_ = judge([COUNTRY], by_country(DE=(40, 2), FR=(60, 0)), FACTS, TERMS).gates[0]
    assert (open_.verdict, open_.value) == (INCONCLUSIVE, "DE")
    tiny = judge([COUNTRY], by_country(LU=(5, 0)), FACTS, TERMS).gates[0]
    assert said(tiny) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
    nothing = judge([COUNTRY], by_country(), FACTS, TERMS).gates[0]
    assert said(nothing) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)


def test_more_values_make_a_fail_harder() -> None:
    two = judge([COUNTRY], by_country(DE=(40, 4), FR=(60, 0)), FACTS, TERMS).gates[0].parts[0]
    three = judge([COUNTRY], by_country(DE=(40, 4), FR=(60, 0), IT=(1, 0)), FACTS, TERMS).gates[0].parts[0]
    assert two.low is not None
    assert three.low is not None
    assert three.low < two.low


# One look at a closed log.
def test_one_look_is_narrower_and_names_itself() -> None:
    evidence = steady(50, only_candidate_bad=0.3, only_reference_bad=0.1)
    often, once = one(ERRORS, evidence), one(ERRORS, evidence, final=True)
    assert often.high is not None
    assert once.high is not None
    assert once.high < often.high
    assert once.method.startswith("Tango score, one look")
    assert (often.verdict, once.verdict) == (INCONCLUSIVE, PASS)
    assert once.needed is None


@pytest.mark.parametrize(
    ("gate", "counts", "verdict"),
    [
        (ERRORS, {"only_candidate_bad": 5}, FAIL),
        (NEVER, {"only_candidate_nonfinite": 1}, FAIL),
        (Gate("disagreement", 0.05), {"disagreeing": 9}, FAIL),
        (Gate("disagreement", 0.05), {"disagreeing": 1}, PASS),
        (SLOWER, {"slower": 40, "faster": 10}, FAIL),
        (Gate("item_disagreement", 0.05), {"items": 1000, "items_disagreeing": 20}, PASS),
    ],
)
def test_one_look_decides(gate: Gate, counts: dict[str, float], verdict: Verdict) -> None:
    assert one(gate, steady(50, **counts), final=True).verdict is verdict


def test_one_look_knows_bursts_too() -> None:
    evidence = changed(steady(15), "only_candidate_bad", slice(3, 4), 50)
    assert said(one(ERRORS, evidence, final=True)) == (INCONCLUSIVE, Reason.BURST)


def test_one_look_at_ratios_and_means() -> None:
    assert one(Gate("latency_p50_ratio", 1.1), timed(1.2), final=True).verdict is FAIL
    assert one(Gate("mean(bleu)", 0.8, higher_is_better=True), scored(0.9), final=True).verdict is PASS


def test_nothing_to_look_at_once() -> None:
    empty = Evidence(np.empty(0, dtype=np.int64), {name: np.empty(0) for name in steady().columns})
    assert said(one(ERRORS, empty, final=True)) == (INCONCLUSIVE, Reason.TOO_FEW_PAIRS)
