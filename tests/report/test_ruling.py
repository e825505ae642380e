"""What stands between the evidence and the verdict: reasons, the self-check, coverage, drops, scope, open buckets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from scipy.stats import beta

from shadowproxy.pairlog.segment import Rotation, SegmentWriter
from shadowproxy.report import engine, views
from shadowproxy.report.assemble import report
from shadowproxy.report.counting import count, tally
from shadowproxy.report.judged import prepare
from shadowproxy.report.record import Candidate, Gate, Report
from shadowproxy.report.scope import Scope, choose
from shadowproxy.report.source import find
from shadowproxy.report.wishes import Wishes
from shadowproxy.settings.snapshot import Candidate as Configured
from shadowproxy.settings.snapshot import Pairs, Production, Snapshot, Statistics
from shadowproxy.stats.evidence import Evidence, merged
from shadowproxy.stats.gate import Gate as Asked
from tests.support.pairs import PairLog, answer, compared, differing, incomparable, noisy, timed_out
from tests.support.reports import figures_on, report_on

BAD: dict[str, Any] = {"shadow": answer(500, bad=True), "comparison": incomparable("shadow_bad")}
TOLERANT = ("error_rate_increase<=50pp", "disagreement<=50%")


def logged(root: Path, pairs: int = 3000, *, ledger: bool = True, dropped: int = 0, **pair: Any) -> PairLog:
    """So many pairs alike, 60 in each bucket of 30 s."""
    log = PairLog(root, every_s=0.5)
    log.pair(times=pairs, **pair)
    if ledger:
        balance(log, pairs, dropped)
    return log


def balance(
    log: PairLog, pairs: int, dropped: int = 0, reason: str = "overload", at: float | None = None, **more: Any
) -> None:
    at = pairs / 2 if at is None else at
    log.ledger(requests=pairs + dropped, eligible=pairs + dropped, dropped={reason: dropped} if dropped else {},
               sent=pairs, finished={"complete": pairs}, logged=pairs, at=at, **more)  # fmt: skip


def gate_of(c: Candidate, metric: str) -> Gate:
    return next(gate for gate in c.gates if gate.metric == metric)


def snapshot(**candidate: Any) -> Snapshot:
    return Snapshot(
        production=Production(name="v1", urls=("http://127.0.0.1:9",)),
        candidates=(Configured(name="v2", url="http://127.0.0.1:9", **candidate),),
        statistics=Statistics(),
        pairs=Pairs(dir=""),
    )


def test_equal_models_pass(tmp_path: Path) -> None:
    found = figures_on(logged(tmp_path / "log", 5000, twin=answer()).write())
    assert (found.verdict, found.reason, found.needed) == ("PASS", None, None)
    assert found.summary == "No gate shows v2 worse than v1. This does not say that it is better."
    assert found.self_check is not None
    assert found.self_check.verdict == "PASS"
    assert [gate.metric for gate in found.gates] == [
        "error_rate_increase",
        "nonfinite_increase",
        "slower_share",
        "excess_disagreement",
    ]


def test_expect_chooses_the_limits(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", 1000).write()
    limits = {
        expect: {gate.metric: gate.limit for gate in figures_on(path, snapshot=snapshot(expect=expect)).gates}
        for expect in ("same", "similar", "different")
    }
    always = {"error_rate_increase": 0.005, "nonfinite_increase": 0.0}
    assert limits == {
        "same": {**always, "slower_share": 0.1, "disagreement": 0.005},
        "similar": {**always, "slower_share": 0.1, "disagreement": 0.05},
        "different": always,
    }


def test_errors_fail_and_the_headline_names_them(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(60):
        log.pair(times=49)
        log.pair(**BAD)
    balance(log, 3000)
    found = figures_on(log.write())
    gate = gate_of(found, "error_rate_increase")
    assert (found.verdict, gate.verdict, gate.estimate) == ("FAIL", "FAIL", 0.02)
    assert found.summary.startswith("Do not promote v2. It fails on 2 % of requests that v1 answers (")
    assert found.summary.endswith(", limit 0.5 %).")


def test_one_outage_is_one_event_and_neither_fails_nor_passes(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 2900, ledger=False)
    log.pair(times=60, **BAD)
    log.pair(times=40)
    balance(log, 3000)
    gate = gate_of(figures_on(log.write()), "error_rate_increase")
    assert (gate.verdict, gate.reason, gate.estimate) == ("INCONCLUSIVE", "drift", 0.02)


@pytest.mark.parametrize(
    ("ledger", "dropped", "said"),
    [(False, 0, "no ledger"), (True, 400, "88.2 % of the copies due lie in the log, a PASS needs 95 %")],
)
def test_without_coverage_nothing_passes(tmp_path: Path, ledger: bool, dropped: int, said: str) -> None:
    found = figures_on(logged(tmp_path / "log", ledger=ledger, dropped=dropped).write(), gates=TOLERANT)
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", "coverage")
    assert said in found.summary


def test_copies_that_v2_did_not_keep_up_with_are_its_errors_in_the_worst_case(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 3000, ledger=False)
    for total in (0, 40, 80):  # cumulative: 40 more in each of two buckets
        balance(log, 3000, total, "in_flight")
    log.ledgers = [
        line.replace('"ts": "2026-03-01T14:25:00', f'"ts": "2026-03-01T14:{minute}:10')
        for line, minute in zip(log.ledgers, ("02", "05", "06"), strict=True)
    ]
    gates = ("error_rate_increase<=1pp",)
    with_drops = figures_on(log.write(), gates=gates).gates[0]
    log.ledgers = []
    balance(log, 3000)
    without = figures_on(log.write(), gates=gates).gates[0]
    assert (with_drops.estimate, without.estimate) == (0.0, 0.0)
    assert with_drops.low == without.low
    assert with_drops.high is not None
    assert without.high is not None
    assert with_drops.high > without.high
    # 80 of 3,080 would be 2.6 %: more of the same would not lower it, and nothing shows that the rate is above 1 %.
    assert (with_drops.verdict, with_drops.reason, without.verdict) == ("INCONCLUSIVE", "at_the_limit", "PASS")


def test_buckets_that_resemble_their_neighbours_withhold_a_pass_and_the_report_says_so(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=1.5)  # 20 in a bucket
    for _ in range(4):  # eight quiet buckets, then eight in which one of ten decides otherwise
        log.pair(times=160)
        for _ in range(16):
            log.pair(times=9)
            log.pair(comparison=differing("a", "b"))
    balance(log, 1280, at=1900.0)
    found = figures_on(log.write(), gates=("disagreement<=50%", "nonfinite_increase<=0.5pp"))
    withheld, steady = found.gates
    assert (withheld.verdict, withheld.reason, steady.verdict) == ("INCONCLUSIVE", "too_few_buckets", "PASS")
    assert withheld.high is not None
    assert withheld.high < 0.5
    assert "neighbouring stretches of 30 s resemble each other: 64 say as much as" in withheld.explanation
    assert withheld.explanation.endswith("a PASS needs 40")
    assert withheld.needed is not None
    assert withheld.needed.more > 0


def test_more_than_one_in_twenty_incomparable_withholds_a_pass_of_outputs_only(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(300):
        log.pair(times=9)
        log.pair(comparison=incomparable("shadow_unparsed"))
    balance(log, 3000)
    found = figures_on(log.write(), gates=TOLERANT)
    assert gate_of(found, "error_rate_increase").verdict == "PASS"
    assert gate_of(found, "disagreement").reason == "incomparable"


def test_versions_and_rules_that_change_make_it_inconclusive(tmp_path: Path) -> None:
    log = logged(tmp_path / "a", 1500, ledger=False, shadow=answer(version="1"))
    log.pair(times=1500, shadow=answer(version="2"))
    balance(log, 3000)
    assert figures_on(log.write(), gates=TOLERANT).reason == "mixed_versions"
    log = logged(tmp_path / "b", 1500, ledger=False)
    log.pair(times=1500, comparison=compared(rules="r2"))
    balance(log, 3000)
    assert figures_on(log.write(), gates=TOLERANT).reason == "rules_changed"
    # Two routes have two rules, and nothing has changed.
    log = logged(tmp_path / "c", 1500, ledger=False)
    log.pair(times=1500, route="rank", comparison=compared(rules="r2"))
    balance(log, 3000)
    assert figures_on(log.write(), gates=TOLERANT).verdict == "PASS"


def triton(version: str, model: str = "m") -> dict[str, Any]:
    return answer(fingerprint=f"model_version of {model}={version}; server=TritonServer")


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        ({"shadow": triton("2")}, "mixed_versions"),
        ({"production": triton("2")}, "mixed_versions"),
        ({"shadow": triton("1")}, None),
        ({"shadow": triton("2", "other")}, None),  # another model, which has one version too
        ({"shadow": triton("2"), "route": "rank"}, None),  # another route, behind which is another model
        ({"shadow": triton("2"), "warmup": True}, None),
        ({"shadow": answer(fingerprint="server=TritonServer")}, None),  # says nothing of a model
        ({"shadow": answer()}, None),
    ],
)
def test_answers_that_name_two_versions_make_it_inconclusive(
    later: dict[str, Any], reason: str | None, tmp_path: Path
) -> None:
    log = logged(tmp_path / "log", 3000, ledger=False, production=triton("1"), shadow=triton("1"))
    log.pair(**{"production": triton("1"), **later}, times=100)
    balance(log, 3100)
    found = figures_on(log.write(), gates=TOLERANT)
    assert (found.reason, found.verdict) == (reason, "INCONCLUSIVE" if reason else "PASS")
    assert found.fingerprints["shadow"][0] == "model_version of m=1; server=TritonServer" or reason
    if reason:
        assert list(found.mixed.values()) == [["model_version of m=1", "model_version of m=2"]]
        said = " ".join(report_on(log.root, gates=TOLERANT).hints)
        assert "name several versions within one trial: model_version of m=1, model_version of m=2." in said


def test_gates_that_reject_production_itself_judge_nobody(tmp_path: Path) -> None:
    # The twin is half as fast again as production, and so is the candidate.
    path = logged(tmp_path / "log", twin=answer(ms=15), shadow=answer(ms=15)).write()
    found = figures_on(path)
    assert found.self_check is not None
    assert (found.self_check.verdict, found.verdict, found.reason) == ("FAIL", "INCONCLUSIVE", "self_check")
    assert "your gates reject v1 itself" in found.summary


def test_without_a_twin_the_excess_may_pass_and_never_fail(tmp_path: Path) -> None:
    gates = ("excess_disagreement<=5pp",)
    same = figures_on(logged(tmp_path / "a").write(), gates=gates)
    assert (same.verdict, same.gates[0].estimate) == ("PASS", None)
    other = figures_on(logged(tmp_path / "b", comparison=differing()).write(), gates=gates)
    assert (other.verdict, other.reason) == ("INCONCLUSIVE", "no_twin")


def test_a_twin_unlike_production_withholds_the_excess(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(300):
        log.pair(times=9, twin=answer())
        log.pair(twin=answer(), noise=noisy(), comparison=differing())
    balance(log, 3000)
    assert figures_on(log.write(), gates=("excess_disagreement<=5pp",)).reason == "twin_unlike_production"


@pytest.mark.parametrize(
    ("twin", "reason"),
    [
        ("model_version of m=2; server=TritonServer", "twin_unlike_production"),
        ("model_version of m=1; server=nginx", None),  # what stands in front of it is another matter
        ("model_version of other=2", None),
        (None, None),
    ],
)
def test_a_twin_whose_answers_name_another_version_withholds_the_excess(
    twin: str | None, reason: str | None, tmp_path: Path
) -> None:
    log = logged(tmp_path / "log", production=triton("1"), twin=answer(fingerprint=twin))
    found = figures_on(log.write(), gates=("excess_disagreement<=5pp",))
    assert (found.reason, found.verdict) == (reason, "INCONCLUSIVE" if reason else "PASS")


def test_text_has_no_decisions_and_no_gate_on_them(tmp_path: Path) -> None:
    text = compared("different", agrees=None, labels=(None, None))
    path = logged(tmp_path / "log", comparison=text).write()
    assert [gate.metric for gate in figures_on(path).gates] == [
        "error_rate_increase",
        "nonfinite_increase",
        "slower_share",
    ]
    assert figures_on(path, gates=("disagreement<=5%",)).reason == "no_decision"


def test_similarity_lost_against_the_twins(tmp_path: Path) -> None:
    def alike(share: float, key: str = "shadow") -> dict[str, Any]:
        return compared("different", agrees=None, labels=(None, None), metrics={"similarity": share}, key=key)

    path = logged(tmp_path / "log", twin=answer(), comparison=alike(0.7), noise=alike(0.9, "twin")).write()
    gate = gate_of(figures_on(path), "similarity_loss")
    assert (gate.estimate, gate.limit, gate.verdict) == (pytest.approx(0.2), 0.05, "FAIL")


def test_means_and_options_of_gates(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(1500):
        log.pair(shadow=answer(ms=11.5), comparison=compared(metrics={"tv": 0.25}))
        log.pair(shadow=answer(ms=230), production=answer(ms=190), comparison=compared(metrics={"tv": 0.75}))
    balance(log, 3000)
    found = figures_on(
        log.write(),
        gates=("mean(tv)>=0.4", "slower_share{by=10%}<=1pp", "slo_miss_increase{over=200ms}<=60pp",
               "latency_p50_ratio<=1.1x"),
    )  # fmt: skip
    told = {gate.name: (gate.estimate, gate.verdict) for gate in found.gates}
    assert told["mean(tv)"] == (pytest.approx(0.5), "PASS")
    assert told["slower_share{by=10%}"] == (1.0, "FAIL")  # 11.5 > 1.1 · 10 and 230 > 1.1 · 190
    assert told["slo_miss_increase{over=200ms}"] == (0.5, "PASS")
    assert told["latency_p50_ratio"] == (pytest.approx(1.15, rel=0.006), "FAIL")  # bins are 0.5 % wide


def test_a_slice_is_judged_by_itself_and_each_of_its_values(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(1500):
        log.pair(slices={"country": "DE"}, comparison=differing())
        log.pair(slices={"country": "FR"})
    balance(log, 3000)
    path = log.write()
    one = figures_on(path, gates=("disagreement{slice=country:FR}<=5%",))
    assert (one.verdict, one.gates[0].n) == ("PASS", 1500)
    each = figures_on(path, gates=("disagreement{slice=country:*}<=5%",))
    assert {part.value: part.verdict for part in each.gates[0].parts} == {"DE": "FAIL", "FR": "PASS"}
    assert each.summary.startswith("Do not promote v2. It decides differently from v1 on 100 % of requests where ")
    only = figures_on(path, scope=Scope(slice=("country", "FR")), gates=("disagreement<=5%",))
    assert (only.pairs, only.verdict) == (1500, "PASS")
    assert "This holds only if the slice was chosen before looking." in only.headline


def test_a_slice_that_stands_out_is_flagged_and_changes_no_verdict(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.25)
    for number in range(2500):
        log.pair(slices={"country": "DE"}, **(BAD if number % 20 == 0 else {}))
        log.pair(slices={"country": "FR"})
    balance(log, 5000)
    found = figures_on(log.write(), gates=("error_rate_increase<=50pp",))
    assert found.slices["country"]["DE"].flagged == ["error_rate_increase"]
    assert found.slices["country"]["FR"].flagged == []
    assert found.slices_looked_at == 4  # two values; errors and latency, no triples
    assert found.verdict == "PASS"


def test_candidates_are_compared_on_the_requests_of_both(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    for number in range(600):
        shared = {"id": f"r{number}", "at": number / 2}
        log.pair(candidate="v2", trial="v2-1", comparison=differing() if number % 3 == 0 else None, **shared)
        log.pair(candidate="v3", trial="v3-1", comparison=differing() if number % 2 == 0 else None, **shared)
    log.pair(candidate="v3", trial="v3-1", id="alone", at=301)
    found = report_on(log.write()).candidates
    assert found["v2"].versus is not None
    assert found["v3"].versus is not None
    one, other = found["v2"].versus["v3"], found["v3"].versus["v2"]
    # Of six: v2 alone on 3, v3 alone on 2 and 4.
    assert (one.requests, one.disagreement.estimate) == (600, pytest.approx(100 / 600 - 200 / 600))
    assert other.disagreement.estimate == pytest.approx(100 / 600)
    assert (one.errors.estimate, one.slower.n) == (0.0, 600)


def test_one_look_at_a_closed_log_is_narrower(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(150):
        log.pair(times=19)
        log.pair(comparison=differing())
    balance(log, 3000)
    path = log.write()
    anytime, once = (figures_on(path, final=final) for final in (False, True))
    assert once.disagreement.high is not None
    assert anytime.disagreement.high is not None
    assert once.disagreement.high < anytime.disagreement.high
    # Clopper-Pearson, 150 of 3,000: the 97.5 % quantile of Beta(151, 2850)
    assert once.disagreement.high == pytest.approx(float(beta.ppf(0.975, 151, 2850)))
    assert once.disagreement.method.startswith("Clopper-Pearson, one look")


def test_timeouts_are_infinitely_slow_and_errors_too(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log", every_s=0.5)
    for _ in range(300):
        log.pair(times=9)
        log.pair(shadow=timed_out(), comparison=incomparable("shadow_incomplete"))
    balance(log, 3000)
    found = figures_on(log.write(), gates=("timeout_increase<=1pp", "timeout_rate<=20%", "slower_share<=5pp"))
    told = {gate.metric: (gate.estimate, gate.verdict) for gate in found.gates}
    assert told == {
        "timeout_increase": (0.1, "FAIL"),
        "timeout_rate": (0.1, "PASS"),
        "slower_share": (0.1, "FAIL"),
    }


# -- law 8 -------------------------------------------------------------------------------------------------------------


def counted(path: Path, gates: tuple[Asked, ...] = ()) -> dict[Any, Evidence]:
    source = find([str(path)])
    with engine.opened() as con:
        views.load_views(con, source)
        choose(con, Scope())
        prepare(con, 30.0)
        found = count(con, 30.0, gates)
    return {
        (*cell, part): evidence
        for cell, of in found.items()
        for part, evidence in [(None, of.whole), ("twin", of.twin), *of.parts.items()]
        if evidence is not None
    }


def test_tallies_of_a_fleet_add_up_to_those_of_its_union(tmp_path: Path) -> None:
    """Two proxies with logs of their own, each seeing part of every bucket."""
    asked = (Asked("latency_p50_ratio", 1.1), Asked("mean(tv)", 0.5), Asked("slower_share", 0.1, (("by", "10%"),)))
    union = PairLog(tmp_path / "union", every_s=0.5)
    shards = [PairLog(tmp_path / f"shard-{number}") for number in range(2)]
    for number in range(600):
        union.pair(
            shadow=answer(ms=5 + number % 7),
            twin=answer(ms=6 + number % 5),
            comparison=differing() if number % 11 == 0 else compared(metrics={"tv": number / 600}),
            noise=noisy() if number % 13 == 0 else None,
            slices={"country": "DE" if number % 3 else "FR"},
            route="rank" if number % 5 == 0 else "predict",
        )
        shards[number % 2].pairs.append(union.pairs[-1])
    whole = counted(union.write(), asked)
    parts = [counted(shard.write(), asked) for shard in shards]
    assert len(whole) == 6  # the whole, the twin, two countries, two routes
    for key, evidence in whole.items():
        added = merged(part[key] for part in parts)
        assert tally(added) == tally(evidence)
        assert added.buckets.tolist() == evidence.buckets.tolist()
        for name, column in evidence.columns.items():
            assert added.columns[name].tolist() == pytest.approx(column.tolist()), name
        for name, bins in evidence.bins.items():
            assert sum(added.bins[name].count) == sum(bins.count)


# -- open buckets ------------------------------------------------------------------------------------------------------


@contextmanager
def being_written(folder: Path) -> Iterator[None]:
    """As while a recorder has a segment open."""
    writer = SegmentWriter(folder, "pairs", 0, Rotation(1 << 30, 1e9))
    writer.write(b"\n")
    try:
        yield
    finally:
        writer.close()


def test_while_the_log_is_written_open_buckets_wait(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 600, ledger=False)  # 5 min: 10 buckets
    balance(log, 600)  # its last line at 300 s: nothing is in flight
    path = log.write()
    assert (figures_on(path).pairs, figures_on(path).open_pairs) == (600, 0)
    with being_written(path):
        live = figures_on(path)
    # Known up to 298 s: the bucket from 270 s on is open.
    assert (live.pairs, live.open_pairs) == (540, 60)


def test_copies_in_flight_keep_more_buckets_open(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 600, ledger=False)
    balance(log, 600, in_flight=3)
    path = log.write()
    with being_written(path):
        # Known up to 300 − 2 − 5 s, or as long as the configuration waits for a copy.
        assert figures_on(path).open_pairs == 60
        assert figures_on(path, snapshot=snapshot(timeout=40.0)).open_pairs == 120  # up to 258 s


@pytest.mark.parametrize("long_ms", [70_000.0, 400_000.0])
def test_a_bucket_that_has_closed_stays_closed_when_an_answer_takes_long(tmp_path: Path, long_ms: float) -> None:
    """As after a machine stood still: what was in flight took over a minute, and copies might take three times that."""
    log = logged(tmp_path / "log", 300, ledger=False)  # 150 s: 5 buckets
    for at in range(5, 151, 5):
        balance(log, 300, at=float(at), in_flight=3)
    with being_written(log.write()):
        assert (before := figures_on(log.root)).pairs == 240  # known up to 150 - 2 - 5 s
    thawed = 149.5 + long_ms / 1000
    log.pair(at=149.5, production=answer(ms=long_ms), shadow=answer(ms=long_ms))
    log.pair(at=thawed + 1, times=3)
    balance(log, 304, at=thawed + 3, in_flight=3)
    with being_written(log.write()):
        after = figures_on(log.root)
    assert (after.pairs, after.open_pairs) == (before.pairs, 64)
    # Nothing else of the kind comes for ten minutes: what is in flight takes no longer than usual again.
    for number in range(130):
        at = thawed + 5 * (number + 1)
        log.pair(at=at)
        balance(log, 305 + number, at=at + 1, in_flight=3)
    with being_written(log.write()):
        later = figures_on(log.root)
    assert later.open_pairs <= 12  # of the last minute


def test_while_the_log_is_written_what_is_in_flight_is_not_missing(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 600, ledger=False)
    log.ledger(requests=660, eligible=660, dropped={"overload": 10}, sent=650, in_flight=50, finished={"complete": 600},
               logged=600, at=300)  # fmt: skip
    path = log.write()
    assert figures_on(path).coverage.estimate == pytest.approx(600 / 660)  # they never came
    with being_written(path):
        assert figures_on(path).coverage.estimate == pytest.approx(600 / 610)


def test_a_verdict_does_not_depend_on_when_somebody_looked(tmp_path: Path) -> None:
    """Law of JUDGEMENT §6: what was closed earlier says the same later."""
    log = logged(tmp_path / "log", 600, ledger=False)
    balance(log, 600)
    path = log.write()
    with being_written(path):
        early = figures_on(path)
        assert figures_on(path) == early


def reported(path: Path, **wishes: Any) -> Report:
    source = find([str(path)])
    with engine.opened() as con:
        return report(con, source, views.load_views(con, source), Wishes(**wishes))


def test_a_paused_or_silent_candidate_has_a_banner(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 600, ledger=False)
    balance(log, 600)
    log.ledger(requests=600, eligible=600, sent=600, finished={"complete": 600}, logged=600, at=1000.0)
    path = log.write()
    with being_written(path):
        found = reported(path, snapshot=snapshot(paused=True)).candidates["v2"]
    assert found.banners == ["v2 is paused: nothing is added.", "No pair of v2 for 11 min 40 s."]
    assert reported(path, snapshot=snapshot(paused=True)).candidates["v2"].banners == []


def test_a_paused_twin_has_a_banner(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", 600, ledger=False)
    balance(log, 600)
    path = log.write()
    twin = msgspec.structs.replace(snapshot().candidates[0], name="twin", paused=True)
    with being_written(path):
        found = reported(path, snapshot=msgspec.structs.replace(snapshot(), twin=twin)).candidates["v2"]
    assert found.banners[:1] == ["The twin is paused: no new pair says what differs by chance."]
