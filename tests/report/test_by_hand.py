"""One figure of each kind against independent code: lines read with `json`, formulas as the papers print them.

Nothing of `shadowproxy.stats` or of the report's SQL is used on this side. The log is random, so no number is round.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import betainc, betaln
from scipy.stats import beta, binom
from scipy.stats import norm as normal
from scipy.stats import t as student

from shadowproxy.report.record import Candidate
from tests.support.pairs import PairLog, answer, compared, differing, incomparable, noiseless, noisy, timed_out
from tests.support.reports import figures_on

ALPHA, BUCKET_S, T_OPT = 0.05, 30.0, 1000
PAIRS = 4000
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 pairs at one in 0.7 s, with a twin: 93⅓ buckets."""
    chance = np.random.default_rng(11)
    log = PairLog(tmp_path_factory.mktemp("by-hand") / "log", every_s=0.7)
    for _ in range(PAIRS):
        bad, bad_twin, differs, noise = chance.random(4) < (0.02, 0.005, 0.06, 0.02)
        late = chance.random() < 0.002
        own = 40 * chance.lognormal(0, 0.3)
        shadow = answer(500, bad=True) if bad else timed_out() if late else answer(ms=own * chance.lognormal(0.1, 0.2))
        comparison = incomparable("shadow_bad") if bad or late else differing("a", "b") if differs else compared()
        log.pair(
            production=answer(ms=own),
            twin=answer(500, bad=True) if bad_twin else answer(ms=own * chance.lognormal(0, 0.2)),
            noise=incomparable("twin_bad", key="twin") if bad_twin else noisy() if noise else noiseless(),
            shadow=shadow,
            comparison=comparison,
            slices={"country": "DE" if chance.random() < 0.3 else "FR"},
        )
    log.ledger(requests=PAIRS + 50, eligible=PAIRS + 50, dropped={"overload": 50}, sent=PAIRS,
               finished={"complete": PAIRS}, logged=PAIRS, at=PAIRS * 0.7)  # fmt: skip
    return log.write()


@pytest.fixture(scope="module")
def lines(log: Path) -> Lines:
    return [json.loads(line) for line in (log / "pairs-1.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def figures(log: Path) -> Candidate:
    return figures_on(log)


def by_bucket(lines: Lines, counts: Callable[[dict[str, Any]], bool]) -> np.ndarray[Any, Any]:
    """How many lines of each bucket of 30 s count, in order; the first pair arrives on a bucket's beginning."""
    found = np.zeros(math.ceil(PAIRS * 0.7 / BUCKET_S))
    for number, line in enumerate(lines):
        found[number * 7 // 300] += counts(line)
    return found


def mixture(p: float, s: float, n: float, alpha: float) -> float:
    """ln M_n(p) − ln 1/α with the prior of Howard et al. as statistics.md writes it."""
    v = p * (1 - p) * T_OPT
    rho = v / (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha)))
    r = max(rho - p * (1 - p), 1e-3 * p * (1 - p))
    a, b = r / (1 - p), r / p
    return float(
        betaln(a + s, b + n - s) - betaln(a, b) - s * math.log(p) - (n - s) * math.log1p(-p) - math.log(1 / alpha)
    )


def ends(s: float, n: float, alpha: float) -> tuple[float, float]:
    centre = min(max(s / n, 1e-9), 1 - 1e-9)
    low, high = 0.0, 1.0
    if s > 1:
        low = float(brentq(mixture, 1e-12, centre, args=(s, n, alpha), xtol=1e-15))
    if n - s > 1:
        high = float(brentq(mixture, centre, 1 - 1e-12, args=(s, n, alpha), xtol=1e-15))
    return low, high


def half_width(k: int, alpha: float) -> float:
    log = -2 * math.log(alpha)
    rho2 = (log + math.log(log + 1)) / 100
    return math.sqrt(2 * (k * rho2 + 1) / (k * k * rho2) * math.log(math.sqrt(k * rho2 + 1) / alpha))


def over_buckets(x: np.ndarray[Any, Any], n: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Asymptotic, with the ratio estimator's residuals and their lag-1 correlation; nothing before 20 buckets."""
    k = len(x)
    if k < 20:
        return -math.inf, math.inf
    r = x.sum() / n.sum()
    z = x - r * n
    lag = (z[1:] * z[:-1]).sum() / (z * z).sum()
    lag = min(max(lag + (1 + 3 * lag) / k, 0.0), 0.9)
    spread = math.sqrt((z * z).sum() / (k - 1) * (1 + lag) / (1 - lag)) / n.mean()
    return r - half_width(k, ALPHA) * spread, r + half_width(k, ALPHA) * spread


def looks(closed: int) -> list[int]:
    """After every bucket, of which there are fewer than 101; what came before 20 of them is not kept."""
    return [number for number in range(min(closed, 20), closed + 1) if number <= 100]


def of_rate(s: np.ndarray[Any, Any], n: np.ndarray[Any, Any]) -> tuple[float, float]:
    low, high = 0.0, 1.0
    for k in looks(len(s)):
        of_trials, wide = ends(s[:k].sum(), n[:k].sum(), ALPHA), over_buckets(s[:k], n[:k])
        finite = math.isfinite(wide[0])
        low = max(low, min(of_trials[0], wide[0]) if finite else of_trials[0])
        high = min(high, max(of_trials[1], wide[1]) if finite else of_trials[1])
    return low, high


def of_difference(
    b: np.ndarray[Any, Any], c: np.ndarray[Any, Any], n: np.ndarray[Any, Any], *, alike: bool = False
) -> tuple[float, float]:
    low, high = -1.0, 1.0
    for k in looks(len(b)):
        total = n[:k].sum()
        (b_low, b_high), (c_low, c_high) = ends(b[:k].sum(), total, ALPHA / 2), ends(c[:k].sum(), total, ALPHA / 2)
        wide = over_buckets(b[:k] - c[:k], n[:k])
        finite = math.isfinite(wide[0])
        if alike and not finite:
            continue
        # What speaks for the candidate is not credited before there are buckets enough to tell a burst from a rate.
        credit = c_low if k >= 20 else ends(0, total, ALPHA / 2)[0]
        low = max(low, min(b_low - c_high, wide[0]) if finite else b_low - c_high)
        high = min(high, max(b_high - credit, wide[1]) if finite else b_high - credit)
    return low, high


def test_a_rate(lines: Lines, figures: Candidate) -> None:
    n = by_bucket(lines, lambda line: line["comparison"]["agrees"] is not None)
    s = by_bucket(lines, lambda line: line["comparison"]["agrees"] is False)
    rate = figures.disagreement
    assert (rate.n, rate.estimate) == (int(n.sum()), pytest.approx(s.sum() / n.sum()))
    assert (rate.low, rate.high) == pytest.approx(of_rate(s, n), abs=1e-9)


def test_a_difference_of_errors_against_the_twin(lines: Lines, figures: Candidate) -> None:
    n = by_bucket(lines, lambda line: True)
    b = by_bucket(lines, lambda line: line["shadow"]["bad"] and not line["twin"]["bad"])
    c = by_bucket(lines, lambda line: line["twin"]["bad"] and not line["shadow"]["bad"])
    rate = figures.errors.error_rate_increase
    assert (figures.errors.b, figures.errors.c, rate.n) == (b.sum(), c.sum(), PAIRS)
    assert rate.estimate == pytest.approx((b.sum() - c.sum()) / PAIRS)
    assert (rate.low, rate.high) == pytest.approx(of_difference(b, c, n), abs=1e-9)
    gate = next(gate for gate in figures.gates if gate.metric == "error_rate_increase")
    heads, tails = int((b > c).sum()), int((c > b).sum())
    log_e = (heads + tails) * math.log(2) + betaln(1 + heads, 1 + tails) + math.log(2)
    e_value = math.exp(log_e) * betainc(1 + tails, 1 + heads, 0.5)
    assert gate.low is not None
    assert (gate.verdict == "FAIL") == (gate.low > 0.005 and e_value >= len(figures.gates) / 0.05)


def test_excess_and_noise_on_triples(lines: Lines, figures: Candidate) -> None:
    def is_triple(line: dict[str, Any]) -> bool:
        return line["comparison"]["agrees"] is not None and line["noise"]["agrees"] is not None

    n = by_bucket(lines, is_triple)
    b = by_bucket(lines, lambda x: is_triple(x) and not x["comparison"]["agrees"] and x["noise"]["agrees"])
    c = by_bucket(lines, lambda x: is_triple(x) and x["comparison"]["agrees"] and not x["noise"]["agrees"])
    noise = by_bucket(lines, lambda x: is_triple(x) and not x["noise"]["agrees"])
    excess = figures.excess_disagreement
    assert excess.estimate == pytest.approx((b.sum() - c.sum()) / n.sum())
    assert (excess.low, excess.high) == pytest.approx(of_difference(b, c, n), abs=1e-9)
    assert figures.noise.estimate == pytest.approx(noise.sum() / n.sum())
    assert (figures.noise.low, figures.noise.high) == pytest.approx(of_rate(noise, n), abs=1e-9)


def latencies(line: dict[str, Any]) -> tuple[float, float] | None:
    """(candidate, twin) of a latency pair; a timeout is infinite."""
    if line["twin"]["bad"] or (line["shadow"]["bad"] and line["shadow"]["outcome"] != "timeout"):
        return None
    own, other = (
        line[side]["timing_ms"]["total"] - line[side]["timing_ms"]["sent"] - line[side]["timing_ms"]["stalled"]
        for side in ("shadow", "twin")
    )
    return (math.inf if line["shadow"]["outcome"] == "timeout" else own), other


def test_clearly_slower_and_the_median_difference(lines: Lines, figures: Candidate) -> None:
    def counts(slower: Callable[[float, float], bool]) -> Callable[[dict[str, Any]], bool]:
        return lambda line: (pair := latencies(line)) is not None and slower(*pair)

    n = by_bucket(lines, counts(lambda own, other: True))
    b = by_bucket(lines, counts(lambda own, other: own > 1.25 * other and own - other > 1))
    c = by_bucket(lines, counts(lambda own, other: other > 1.25 * own and other - own > 1))
    rate = figures.latency_ms.slower_share
    assert (rate.n, rate.estimate) == (int(n.sum()), pytest.approx((b.sum() - c.sum()) / n.sum()))
    assert (rate.low, rate.high) == pytest.approx(of_difference(b, c, n, alike=True), abs=1e-9)

    apart = sorted(own - other for line in lines if (pair := latencies(line)) for own, other in [pair])
    median = float(np.quantile(apart, 0.5, method="inverted_cdf"))
    assert figures.latency_ms.difference["p50"] == pytest.approx(median)
    below = by_bucket(lines, counts(lambda own, other: own - other <= median))
    low, high = 0.0, 1.0
    for k in looks(len(n)):
        wide = over_buckets(below[:k], n[:k])
        if math.isfinite(wide[0]):
            of_trials = ends(below[:k].sum(), n[:k].sum(), ALPHA)
            low, high = max(low, min(of_trials[0], wide[0])), min(high, max(of_trials[1], wide[1]))
    share = below.sum() / n.sum()
    reach = max(high - share, share - low)
    for end, level in (("low", 0.5 - reach), ("high", 0.5 + reach)):
        assert figures.latency_ms.difference[end] == pytest.approx(
            float(np.quantile(apart, level, method="inverted_cdf"))
        )


def test_coverage_slices_and_the_flag_of_a_field(lines: Lines, figures: Candidate) -> None:
    assert figures.coverage.estimate == pytest.approx(PAIRS / (PAIRS + 50))
    in_de = [line for line in lines if line["slices"]["country"] == "DE"]
    part = figures.slices["country"]["DE"]
    decided = [line for line in in_de if line["comparison"]["agrees"] is not None]
    assert part.pairs == len(in_de)
    assert part.disagreement.estimate == pytest.approx(
        sum(not line["comparison"]["agrees"] for line in decided) / len(decided)
    )
    field = next(field for field in figures.fields if field.path == "$.label")
    both = [x for x in lines if x["comparison"]["agrees"] is not None and x["noise"]["agrees"] is not None]
    balance = np.zeros(math.ceil(PAIRS * 0.7 / BUCKET_S))
    for line in both:
        number = int(line["id"].removeprefix("request-")) - 1
        balance[number * 7 // 300] += bool(line["comparison"]["differences"])
        balance[number * 7 // 300] -= bool(line["noise"]["differences"])
    heads, tails = int((balance > 0).sum()), int((balance < 0).sum())
    log_e = (heads + tails) * math.log(2) + betaln(1 + heads, 1 + tails) + math.log(2)
    assert field.e_value == pytest.approx(math.exp(log_e) * betainc(1 + tails, 1 + heads, 0.5))
    assert field.flagged is True  # one field was looked at, and E ≥ 1/0.05


def once(x: np.ndarray[Any, Any], n: np.ndarray[Any, Any], alpha: float) -> tuple[float, float]:
    """Student's t on the residuals of buckets, with their lag-1 correlation as above."""
    k = len(x)
    reach = (over_buckets(x, n)[1] - x.sum() / n.sum()) / half_width(k, ALPHA) / math.sqrt(k)
    t = float(student.ppf(1 - alpha / 2, k - 1))
    return x.sum() / n.sum() - t * reach, x.sum() / n.sum() + t * reach


def tango(b: int, c: int, n: int, alpha: float) -> tuple[float, float]:
    """Tango 1998: the differences at which the score statistic reaches z from either side."""

    def score(delta: float) -> float:
        first, second = -b - c + (2 * n - b + c) * delta, -c * delta * (1 - delta)
        q = (math.sqrt(first**2 - 8 * n * second) - first) / (4 * n)
        return (b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))

    z = float(normal.ppf(1 - alpha / 2))
    at = (b - c) / n
    return (
        float(brentq(lambda delta: score(delta) - z, -0.999, at, xtol=1e-14)),
        float(brentq(lambda delta: score(delta) + z, at, 0.999, xtol=1e-14)),
    )


def test_one_look_at_a_closed_log(log: Path, lines: Lines) -> None:
    gates = ("error_rate_increase<=1pp", "disagreement<=3%")
    errors, disagreement = figures_on(log, final=True, gates=gates).gates
    n = by_bucket(lines, lambda line: True)
    b = by_bucket(lines, lambda line: line["shadow"]["bad"] and not line["twin"]["bad"])
    c = by_bucket(lines, lambda line: line["twin"]["bad"] and not line["shadow"]["bad"])
    # FAIL stands on the lower end at α over two gates, PASS on the upper one at α.
    low = min(tango(int(b.sum()), int(c.sum()), PAIRS, ALPHA / 2)[0], once(b - c, n, ALPHA / 2)[0])
    high = max(tango(int(b.sum()), int(c.sum()), PAIRS, ALPHA)[1], once(b - c, n, ALPHA)[1])
    assert (errors.low, errors.high) == pytest.approx((low, high), abs=1e-9)

    decided = by_bucket(lines, lambda line: line["comparison"]["agrees"] is not None)
    s = by_bucket(lines, lambda line: line["comparison"]["agrees"] is False)
    others = decided.sum() - s.sum()
    low = min(float(beta.ppf(ALPHA / 4, s.sum(), others + 1)), once(s, decided, ALPHA / 2)[0])
    high = max(float(beta.ppf(1 - ALPHA / 2, s.sum() + 1, others)), once(s, decided, ALPHA)[1])
    assert (disagreement.low, disagreement.high) == pytest.approx((low, high), abs=1e-9)


def test_a_ratio_of_medians_over_buckets(log: Path, lines: Lines) -> None:
    [gate] = figures_on(log, gates=("latency_p50_ratio<=1.5",)).gates
    ratios, group = [], []
    for number, line in enumerate(lines):
        group += [pair] if (pair := latencies(line)) is not None else []
        is_last = number + 1 == len(lines) or (number + 1) * 7 // 300 != number * 7 // 300
        if is_last and len(group) >= 20:
            own, other = (float(np.quantile(side, 0.5, method="inverted_cdf")) for side in zip(*group, strict=True))
            ratios.append(math.log(own / other))
            group = []
    x, n = np.array(ratios), np.ones(len(ratios))
    ends_at = [over_buckets(x[:k], n[:k]) for k in looks(len(x))]
    low, high = max(low for low, _ in ends_at), min(high for _, high in ends_at)
    # Latencies are counted in bins half a percent wide.
    assert gate.estimate == pytest.approx(math.exp(x.mean()), rel=0.003)
    assert (gate.low, gate.high) == (pytest.approx(math.exp(low), rel=0.006), pytest.approx(math.exp(high), rel=0.006))


def test_labels(log: Path, lines: Lines, tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    labels = {line["id"]: str(chance.choice(["a", "b"])) for line in lines}
    file = tmp_path / "labels.csv"
    file.write_text("key,label\n" + "".join(f"{key},{label}\n" for key, label in labels.items()))
    found = figures_on(log, labels=file, gates=("accuracy_drop<=2pp",))
    decided = [line for line in lines if line["comparison"]["agrees"] is not None]

    def is_right(line: dict[str, Any], side: str) -> bool:
        return bool(json.loads(line["comparison"][f"{side}_prediction"]) == labels[line["id"]])

    worse = sum(is_right(line, "production") and not is_right(line, "shadow") for line in decided)
    better = sum(is_right(line, "shadow") and not is_right(line, "production") for line in decided)
    assert found.accuracy is not None
    assert (found.accuracy.good_to_bad, found.accuracy.bad_to_good) == (worse, better)
    assert found.accuracy.mcnemar_p == pytest.approx(
        min(1, 2 * binom.cdf(min(worse, better), worse + better, 0.5)), rel=1e-9
    )
    [gate] = found.gates
    assert gate.estimate == pytest.approx((worse - better) / len(decided))
    assert gate.low is not None
    assert gate.high is not None
    assert gate.low < gate.estimate < gate.high
