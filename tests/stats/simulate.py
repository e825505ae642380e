"""Honesty by simulation: made-up traffic whose truth is known, judged bucket by bucket, with naive tests beside it.

    python -m tests.stats.simulate                    every scenario, 400 logs each: the table of docs/statistics.md
    python -m tests.stats.simulate --logs 40 outages  one scenario, quickly

A log is 40,000 pairs in buckets of 200, about two hours at 6 requests/s. Statistics are looked at after every bucket,
so also whenever 500 more pairs have come; "ever FAIL" counts a FAIL at any look, whatever became of it. The naive tests
are looked at after every 500 pairs, each at 5 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from scipy.signal import lfilter
from scipy.special import bdtr, ndtr

from shadowproxy.stats import bins, looks
from shadowproxy.stats.arrays import Bools, Floats
from shadowproxy.stats.asymptotic import LEAST
from shadowproxy.stats.bins import Bins
from shadowproxy.stats.evidence import Evidence
from shadowproxy.stats.facts import Facts, Terms
from shadowproxy.stats.gate import Gate
from shadowproxy.stats.judge import judge
from shadowproxy.stats.verdict import Judgement, Verdict

PAIRS, PER_BUCKET, LOOK_EVERY = 40_000, 200, 500
SEED = 20260301
FACTS = Facts(coverage=1.0, has_twin=True, twin_covers=True)
TERMS = Terms()
GATES = (
    Gate("error_rate_increase", 0.005),
    Gate("nonfinite_increase", 0.0),
    Gate("slower_share", 0.10),
    Gate("excess_disagreement", 0.005),
    Gate("disagreement", 0.03),
    Gate("latency_p50_ratio", 1.10),
    Gate("latency_p99_ratio", 1.25),
    Gate("mean(score)", 0.10),
)

# Limits at the very value that equal sides have: nothing here may be called a FAIL, or a PASS, more often than 5 %.
# For errors a limit of 0 itself means "not once", which independent errors of equal sides break at once, so that the
# limit is the next number above it.
AT_EQUALITY = (
    Gate("error_rate_increase", 1e-12),
    Gate("slower_share", 0.0),
    Gate("excess_disagreement", 0.0),
    Gate("latency_p50_ratio", 1.0),
    Gate("latency_p99_ratio", 1.0),
    Gate("mean(score)", 0.05004),  # 0.05, and what cutting at 0 adds: 0.02·(φ(2.5) − 2.5·(1 − Φ(2.5)))
)


@dataclass(frozen=True, slots=True)
class World:
    """How both sides behave, and how the candidate differs."""

    pairs: int = PAIRS
    error_rate: float = 0.002  # of each side, on its own
    candidate_error_rate: float = 0.002
    outages_of_both: float = 0.0  # per pair
    outages_of_each: float = 0.0
    outage_pairs: float = 60.0  # mean length, geometric
    noise: float = 0.005  # how often each copy disagrees with production
    candidate_noise: float = 0.005
    swings: float = 0.0  # memory of common waves in which the noise triples and falls again; 0: none
    latency_memory: float = 0.0  # AR(1) per request, of each side
    slower: float = 1.0


SWING = 1.3905  # the mean of 1 + min(max(Z, 0), 2), Z normal: 1 + φ(0) − φ(2) + 2·(1 − Φ(2))
SCENARIOS: Mapping[str, World] = {
    "equal": World(),
    "autocorrelated": World(latency_memory=0.95),
    "long-memory": World(latency_memory=0.99),
    "bursts": World(outages_of_both=1 / 4000, swings=0.99, latency_memory=0.95),
    "outages": World(outages_of_each=1 / 4000, swings=0.99, latency_memory=0.95),
    "long-outages": World(outages_of_each=1 / 16_000, outage_pairs=400, latency_memory=0.95),
    "disagrees": World(noise=0.02, candidate_noise=0.05, latency_memory=0.95),
    "fails": World(candidate_error_rate=0.012, latency_memory=0.95),
    "fails-in-bursts": World(candidate_error_rate=0.022, outages_of_each=1 / 4000, latency_memory=0.95),
    "slower": World(slower=1.2, latency_memory=0.95),
    "at-the-limit": World(candidate_error_rate=0.007, noise=0.025, candidate_noise=0.03),
    "long-swings-at-it": World(noise=0.025 / SWING, candidate_noise=0.03 / SWING, swings=0.999, latency_memory=0.95),
    "swings-at-it": World(noise=0.025 / SWING, candidate_noise=0.03 / SWING, swings=0.99, latency_memory=0.95),
}
EQUAL = ("equal", "autocorrelated", "long-memory", "bursts", "outages", "long-outages")
PASSES = ("equal", "autocorrelated", "bursts")  # equal sides that nothing keeps from a PASS
NAMED = {"disagrees": "excess_disagreement", "fails": "error_rate_increase", "slower": "slower_share"}
REGRESSIONS = tuple(NAMED)


@dataclass(frozen=True, slots=True)
class Log:
    """One element a pair."""

    candidate_bad: Bools
    reference_bad: Bools
    candidate_disagrees: Bools
    twin_disagrees: Bools
    candidate_ms: Floats
    reference_ms: Floats
    score: Floats  # a metric of the comparison, between 0 and 1


def draw(world: World, rng: Generator) -> Log:
    n = world.pairs
    both = _outages(rng, n, world.outages_of_both, world.outage_pairs)
    swing = 1 + (world.swings > 0) * np.clip(_memory(rng, n, world.swings), 0, 2)

    def bad(rate: float) -> Bools:
        down = both | _outages(rng, n, world.outages_of_each, world.outage_pairs)
        return (rng.random(n) < rate) | (down & (rng.random(n) < 0.9))

    def latency(factor: float) -> Floats:
        own = 0.25 * _memory(rng, n, world.latency_memory)
        return np.asarray(factor * np.exp(3 + common + own + 0.1 * rng.standard_normal(n)), dtype=np.float64)

    common = 0.4 * _memory(rng, n, world.latency_memory)
    return Log(
        candidate_bad=bad(world.candidate_error_rate),
        reference_bad=bad(world.error_rate),
        candidate_disagrees=rng.random(n) < world.candidate_noise * swing,
        twin_disagrees=rng.random(n) < world.noise * swing,
        candidate_ms=latency(world.slower),
        reference_ms=latency(1.0),
        score=np.clip(0.05 + 0.02 * _memory(rng, n, world.latency_memory), 0, 1),
    )


def _memory(rng: Generator, n: int, phi: float) -> Floats:
    """An AR(1) series of variance 1."""
    noise = rng.standard_normal(n + 1000) * np.sqrt(1 - phi * phi)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise)[1000:], dtype=np.float64)


def _outages(rng: Generator, n: int, rate: float, mean_pairs: float) -> Bools:
    down = np.zeros(n + 1)
    starts = np.flatnonzero(rng.random(n) < rate)
    ends = np.minimum(starts + rng.geometric(1 / mean_pairs, len(starts)), n)
    np.add.at(down, starts, 1)
    np.add.at(down, ends, -1)
    return np.asarray(np.cumsum(down)[:n] > 0)


def counted(log: Log, per_bucket: int = PER_BUCKET) -> Evidence:
    """What the pair log's tallies would hold."""
    n = len(log.score)
    bucket = np.arange(n) // per_bucket
    buckets = np.unique(bucket)

    def total(values: Bools | Floats) -> Floats:
        return np.bincount(bucket, values.astype(np.float64), len(buckets))

    fine = ~log.candidate_bad & ~log.reference_bad
    slower = log.candidate_ms > 1.25 * log.reference_ms
    faster = log.reference_ms > 1.25 * log.candidate_ms
    columns = {
        "pairs": total(np.ones(n)),
        "comparable": total(fine | ~log.reference_bad),
        "decided": total(fine),
        "disagreeing": total(fine & log.candidate_disagrees),
        "exchanges": total(np.ones(n)),
        "only_candidate_bad": total(log.candidate_bad & ~log.reference_bad),
        "only_reference_bad": total(log.reference_bad & ~log.candidate_bad),
        "only_candidate_nonfinite": np.zeros(len(buckets)),
        "only_production_nonfinite": np.zeros(len(buckets)),
        "timed": total(fine),
        "slower": total(fine & slower),
        "faster": total(fine & faster),
        "triples": total(fine),
        "noisy": total(fine & log.twin_disagrees),
        "only_candidate_disagrees": total(fine & log.candidate_disagrees & ~log.twin_disagrees),
        "only_twin_disagrees": total(fine & log.twin_disagrees & ~log.candidate_disagrees),
        "sum(score)": total(np.where(fine, log.score, 0.0)),
        "count(score)": total(fine),
    }
    sides = {"candidate_ms": log.candidate_ms, "reference_ms": log.reference_ms}
    return Evidence(
        buckets,
        columns,
        {name: Bins(bucket[fine], bins.index(ms[fine]), np.ones(fine.sum())) for name, ms in sides.items()},
    )


# Naive tests: at each look on all pairs so far, one p-value. "Alarm" is p < 5 %, and the candidate looks worse.
def mcnemar(log: Log, at: np.ndarray) -> Floats:
    b = np.cumsum(log.candidate_bad & ~log.reference_bad)[at - 1]
    c = np.cumsum(log.reference_bad & ~log.candidate_bad)[at - 1]
    p = np.where(b + c > 0, np.minimum(2 * bdtr(np.minimum(b, c), np.maximum(b + c, 1), 0.5), 1), 1.0)
    return np.where(b > c, p, 1.0)


def two_shares(log: Log, at: np.ndarray) -> Floats:
    """z-test of two unpaired shares of errors."""
    x, y = (np.cumsum(side)[at - 1] for side in (log.candidate_bad, log.reference_bad))
    pooled = (x + y) / (2 * at)
    error = np.sqrt(np.maximum(2 * pooled * (1 - pooled) / at, 1e-12))
    return _p_worse((x - y) / at / error)


def paired_t(log: Log, at: np.ndarray) -> Floats:
    """On the logarithms of latency."""
    return _t(np.log(log.candidate_ms / log.reference_ms), at)


def signs(log: Log, at: np.ndarray) -> Floats:
    """How often the candidate was the slower one."""
    slower = np.cumsum(log.candidate_ms > log.reference_ms)[at - 1]
    return _p_worse((slower - at / 2) / np.sqrt(at / 4))


def disagreement_t(log: Log, at: np.ndarray) -> Floats:
    return _t(log.candidate_disagrees.astype(float) - log.twin_disagrees.astype(float), at)


def diffy(log: Log, at: np.ndarray) -> Floats:
    """Diffy's rule is no test: an alarm where raw > noise by 20 % of their sum and by 0.03 % of the requests."""
    raw, noise = (np.cumsum(side)[at - 1] for side in (log.candidate_disagrees, log.twin_disagrees))
    more = (raw - noise) / np.maximum(raw + noise, 1)
    return np.where((more > 0.2) & ((raw - noise) / at > 0.0003), 0.0, 1.0)


def _t(values: Floats, at: np.ndarray) -> Floats:
    mean = np.cumsum(values)[at - 1] / at
    variance = np.maximum(np.cumsum(values**2)[at - 1] / at - mean**2, 1e-12)
    return _p_worse(mean / np.sqrt(variance / at))


def _p_worse(z: Floats) -> Floats:
    return np.where(z > 0, 2 * ndtr(-np.abs(z)), 1.0)


NAIVE: Mapping[str, Callable[[Log, np.ndarray], Floats]] = {
    "McNemar": mcnemar,
    "z errors": two_shares,
    "t latency": paired_t,
    "sign latency": signs,
    "t disagree": disagreement_t,
    "Diffy": diffy,
}


@dataclass(slots=True)
class Outcome:
    """Over all logs of one scenario."""

    logs: int = 0
    ever_failed: int = 0
    ended: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    failing_gates: dict[str, int] = field(default_factory=dict)
    passing_gates: dict[str, int] = field(default_factory=dict)
    failed_after: list[int] = field(default_factory=list)  # pairs
    naive: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAIVE, 0))

    def add(self, judgement: Judgement, alarms: Mapping[str, bool], per_bucket: int) -> None:
        self.logs += 1
        failed = [gate for gate in judgement.gates if gate.failed_at is not None]
        self.ever_failed += bool(failed)
        assert judgement.verdict is not None
        self.ended[judgement.verdict] += 1
        for gate in failed:
            self.failing_gates[gate.gate.metric] = self.failing_gates.get(gate.gate.metric, 0) + 1
        for gate in judgement.gates:
            self.passing_gates[gate.gate.metric] = self.passing_gates.get(gate.gate.metric, 0) + (
                gate.verdict is Verdict.PASS
            )
        if failed:
            first = min(gate.failed_at for gate in failed if gate.failed_at is not None)
            self.failed_after.append((first + 1) * per_bucket)
        for name, rang in alarms.items():
            self.naive[name] += rang


def play(world: World, logs: int, *, gates: tuple[Gate, ...] = GATES, seed: int = SEED) -> Outcome:
    outcome = Outcome()
    at = np.arange(LOOK_EVERY, world.pairs + 1, LOOK_EVERY)
    for number in range(logs):
        log = draw(world, np.random.default_rng([seed, number]))
        judgement = judge(gates, {None: counted(log)}, FACTS, TERMS)
        alarms = {name: bool((test(log, at) < 0.05).any()) for name, test in NAIVE.items()}
        outcome.add(judgement, alarms, PER_BUCKET)
    return outcome


def passes_at_any_look(world: World, gate: Gate, logs: int, *, seed: int = SEED, first: int = 1) -> int:
    """In how many logs the gate, judged at each look from that after `first` buckets on, passes at least once."""
    passed = 0
    for number in range(logs):
        evidence = counted(draw(world, np.random.default_rng([seed, number])))
        at = [closed for closed in looks.schedule(len(evidence.buckets)).tolist() if closed >= first]
        passed += any(
            judge([gate], {None: evidence.before(closed)}, FACTS, TERMS).verdict is Verdict.PASS for closed in at
        )
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--logs", type=int, default=400)
    parser.add_argument("--at-equality", action="store_true", help="limits at the value that equal sides have")
    parser.add_argument("--any-look", metavar="METRIC", help="in how many logs this gate passes at any look")
    wishes = parser.parse_args()
    if wishes.any_look:
        gate = next(gate for gate in GATES if gate.metric == wishes.any_look)
        for name in wishes.scenarios or SCENARIOS:
            ever, later = (passes_at_any_look(SCENARIOS[name], gate, wishes.logs, first=n) for n in (1, LEAST))
            print(f"{name:18}{gate.metric}: of {wishes.logs} {ever} at any look, {later} from {LEAST} buckets on")
        return
    print(f"{'':18}{'ever FAIL':>10}{'PASS':>7}{'FAIL':>7}{'pairs':>8}   " + "".join(f"{n:>14}" for n in NAIVE))
    for name in wishes.scenarios or SCENARIOS:
        started = time.monotonic()
        outcome = play(SCENARIOS[name], wishes.logs, gates=AT_EQUALITY if wishes.at_equality else GATES)
        share = 100 / outcome.logs
        after = f"{np.median(outcome.failed_after):8,.0f}" if outcome.failed_after else f"{'–':>8}"
        print(
            f"{name:18}{outcome.ever_failed * share:>9.1f}%{outcome.ended[Verdict.PASS] * share:>6.0f}%"
            f"{outcome.ended[Verdict.FAIL] * share:>6.0f}%{after}   "
            + "".join(f"{count * share:>13.0f}%" for count in outcome.naive.values())
        )
        seconds = time.monotonic() - started
        print(f"{'':18}FAIL {outcome.failing_gates}, PASS {outcome.passing_gates}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
