"""Published values, in one table: what is computed, who printed it, and the digits as printed.

What comes out must round to them: it may differ by half a unit of the last digit, or by one where a source cut digits
off instead of rounding. Values of comparison's scores (κ, RBO, chrF …) stand beside them in `tests/compare/scores`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import false_discovery_control
from scipy.stats.mstats import hdquantiles

from shadowproxy.stats import asymptotic, bernoulli, bernstein, evalues, mcnemar, one_look, ranks, robbins, union
from shadowproxy.stats.arrays import Floats
from shadowproxy.stats.location import hodges_lehmann, signed_rank, signed_rank_law
from tests.stats import boundaries

ALPHA = 0.05
CAVO = (59, 6, 16, 80)  # Cavo 2012: both, the first only, the second only, neither
# Hollander & Wolfe's depression scores of nine patients, before less after.
DEPRESSION = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]) - np.array(
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
)
P_VALUES = (0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205)
FIVE = np.tile([0.0, 1, 1, 0, 1], 200)

R_TABLES = "R contingencytables 3.0.0, tests/testthat/test-ch8.R"
R_WILCOX = "R, documentation of wilcox.test; Hollander & Wolfe 1973"
SCIPY = "scipy 1.17"
CONFSEQ = "confseq 0.0.11, test/uniform_boundaries_unittest.cpp"
HEADER = "confseq 0.0.11, its header compiled"
GROWTHBOOK = "gbstats 0.8.0: Waudby-Smith et al. 2024, eq. 9"
ARITHMETIC = "the formula by hand"

Ends = tuple[Floats, Floats]


class Row(NamedTuple):
    what: str
    origin: str
    compute: Callable[[], Iterable[float] | float]
    printed: str
    cut: bool = False  # the source cut digits off


def ends(pair: Ends, at: int = -1) -> tuple[float, float]:
    return float(pair[0][at]), float(pair[1][at])


def bernoulli_row(s: int, n: int, t_opt: float, printed: str, origin: str = CONFSEQ) -> Row:
    what = f"rate {s}/{n}, tightest at {t_opt:g}"
    return Row(what, origin, lambda: ends(bernoulli.sequence(s, n, ALPHA, t_opt)), printed, cut=origin == CONFSEQ)


def planning(n: int, printed: str) -> Row:
    return Row(f"no event in {n}", HEADER, lambda: float(bernoulli.upper(0, n, ALPHA, t_opt=n)[0]), printed)


def difference(b: int, c: int, n: int, printed: str) -> Row:
    return Row(f"difference {b}, {c} of {n}", HEADER, lambda: ends(union.sequence(b, c, n, ALPHA)), printed)


def coin(b: int, c: int, kt: str, uniform: str, one_sided: str, p: str) -> list[Row]:
    def e(log: Floats) -> float:
        return math.exp(float(log[0]))

    rows = [
        Row(f"e-value, KT {b}:{c}", ARITHMETIC, lambda: e(evalues.log_two_sided(b, c, evalues.KT)), kt),
        Row(f"e-value, uniform {b}:{c}", ARITHMETIC, lambda: e(evalues.log_two_sided(b, c)), uniform),
        Row(f"McNemar exact {b}:{c}", SCIPY, lambda: mcnemar.exact_p(b, c), p),
    ]
    if one_sided:
        rows.append(Row(f"e-value, one-sided {b}:{c}", ARITHMETIC, lambda: e(evalues.log_one_sided(b, c)), one_sided))
    return rows


def at_any_time(n: int, p: float, printed: str) -> Row:
    return Row(f"ranks of {p:g} among {n}", HEADER, lambda: ranks.within(ranks.sequence_ends(n, p, ALPHA), n), printed)


def once(n: int, p: float, printed: str) -> Row:
    return Row(f"ranks of {p:g} among {n}, one look", SCIPY, lambda: ranks.one_look_ends(n, p, ALPHA), printed)


def flagged(*values: float) -> int:
    flags = evalues.discoveries(np.log(values), ALPHA).tolist()
    assert flags == sorted(flags, reverse=True)  # the largest come first
    return sum(flags)


def bernstein_sister(x: Floats) -> Ends:
    """confseq's variant: each end on its own at α/2, residuals from the plain mean so far, 0 before any value."""

    def lower(x: Floats) -> Floats:
        t = np.arange(1, len(x) + 1)
        mean = (0.5 + np.cumsum(x)) / (t + 1)
        variance = np.concatenate([[0.25], ((0.25 + np.cumsum((x - mean) ** 2)) / (t + 1))[:-1]])
        plain = np.concatenate([[0.0], (np.cumsum(x) / t)[:-1]])
        log = math.log(2 / ALPHA)
        bet = np.minimum(np.sqrt(2 * log / (variance * t * np.log1p(t))), 0.5)
        reach = log + np.cumsum((x - plain) ** 2 * (-np.log1p(-bet) - bet))
        return (np.cumsum(bet * x) - reach) / np.cumsum(bet)

    return lower(x), 1 - lower(1 - x)


def tightest(k: int) -> float:
    return float(asymptotic.half_width(k, ALPHA, asymptotic.rho(ALPHA, 5000))[0])


TABLE: list[Row] = [
    # 2×2 tables, one look
    Row("McNemar exact, Cavo", R_TABLES, lambda: mcnemar.exact_p(6, 16), "0.052479"),
    Row("McNemar asymptotic, Cavo", R_TABLES, lambda: mcnemar.asymptotic_p(6, 16), "0.033006"),
    Row("McNemar corrected, Cavo", R_TABLES, lambda: mcnemar.corrected_p(6, 16), "0.055009"),
    Row("McNemar mid-p, Cavo", R_TABLES, lambda: mcnemar.mid_p(6, 16), "0.034690"),
    Row("McNemar exact, Bentur 2009", R_TABLES, lambda: mcnemar.exact_p(1, 7), "0.0703125"),
    Row("McNemar mid-p, Bentur 2009", R_TABLES, lambda: mcnemar.mid_p(1, 7), "0.0390625"),
    Row("Newcombe, Cavo", R_TABLES, lambda: one_look.newcombe(*CAVO, ALPHA), "-0.0621 -0.1186212 -0.0046251"),
    Row("Newcombe, one against one", R_TABLES, lambda: one_look.newcombe(1, 0, 0, 1, ALPHA), "0 -0.5734 0.5734"),
    Row("Tango, Cavo", R_TABLES, lambda: ends(one_look.difference(6, 16, 161, ALPHA)), "-0.1240234 -0.0054334"),
    Row("Tango, 3 of 3", R_TABLES, lambda: ends(one_look.difference(3, 0, 3, ALPHA)), "-0.1230 1"),
    # order statistics, many tests
    Row("Hodges-Lehmann, depression", R_WILCOX, lambda: hodges_lehmann(DEPRESSION, ALPHA), "0.46 0.010 0.786"),
    Row("signed rank V, depression", R_WILCOX, lambda: signed_rank(DEPRESSION), "40"),
    Row("P[V >= 40] of nine", R_WILCOX, lambda: float(signed_rank_law(9)[40:].sum()), "0.01953125"),
    once(1000, 0.5, "469 532"),
    once(1000, 0.95, "936 964"),
    Row("Harrell-Davis of 1..10", SCIPY, lambda: hdquantiles(np.arange(1.0, 11.0), [0.5, 0.9, 0.99]),
        "5.5 9.43511518 9.97225151"),
    Row("Benjamini-Hochberg", SCIPY, lambda: false_discovery_control(P_VALUES),
        ".008 .032 .0672 .0672 .0672 .08 .0845714 .205"),
    # rates, at any time
    bernoulli_row(700, 1000, 100, "0.651629 0.745949"),
    bernoulli_row(15, 50, 50, ".129556 .511896"),
    bernoulli_row(5, 50, 50, ".013021 .269264"),
    bernoulli_row(1, 50, 50, "0 .13489"),
    bernoulli_row(100, 200, 1, ".328923 .671076"),
    bernoulli_row(0, 1, 50, "0 1"),
    bernoulli_row(1, 2, 50, "0 1"),
    bernoulli_row(0, 1000, 1000, "0 .0041222", HEADER),
    bernoulli_row(3, 1000, 1000, ".0000982 .0112167", HEADER),
    bernoulli_row(30, 10_000, 1000, ".0014872 .0051060", HEADER),
    Row("Robbins 0/1000", ARITHMETIC, lambda: ends(robbins.sequence(0, 1000, ALPHA)), "0 .0098556"),
    Row("Robbins 0/10000", ARITHMETIC, lambda: ends(robbins.sequence(0, 10_000, ALPHA)), "0 .00121987"),
    Row("Robbins 3/1000", ARITHMETIC, lambda: ends(robbins.sequence(3, 1000, ALPHA)), ".0000685 .0164183"),
    Row("Clopper-Pearson 0/1000", SCIPY, lambda: ends(one_look.rate(0, 1000, ALPHA)), "0 .0036821"),
    Row("Clopper-Pearson 3/1000", SCIPY, lambda: ends(one_look.rate(3, 1000, ALPHA)), ".0006191 .0087420"),
    planning(100, ".0399"),
    planning(300, ".0136"),
    planning(1000, ".0041"),
    planning(3000, ".00138"),
    planning(10_000, ".00041"),
    planning(30_000, ".00014"),
    planning(100_000, ".00004"),
    # differences, at any time
    difference(0, 0, 1000, "-.00488 .00488"),
    difference(3, 1, 1000, "-.00793 .01222"),
    difference(30, 10, 10_000, "-.00110 .00508"),
    difference(50, 20, 10_000, "-.00109 .00708"),
    # fair coins
    *coin(6, 16, "1.774721", "2.444092", "0.084785", ".0524788"),
    *coin(16, 6, "1.774721", "2.444092", "4.803399", ".0524788"),
    *coin(10, 0, "180.425781", "93.090909", "186.090909", ".00195312"),
    *coin(30, 10, "23.443987", "31.636906", "63.227924", ".00222143"),
    *coin(60, 20, "3116.104930", "4221.690372", "", "8.58e-6"),
    *coin(5, 5, "0.246094", "0.369408", "", "1"),
    Row("e-BH, three", ARITHMETIC, lambda: flagged(120, 60, 45, 8, 1), "3"),
    Row("e-BH, two", ARITHMETIC, lambda: flagged(100, 50, 30, 8, 1), "2"),
    Row("e-BH, four", ARITHMETIC, lambda: flagged(99, 60, 45, 30, 1), "4"),
    # means over buckets
    Row("Bernstein, n = 100", ARITHMETIC, lambda: ends(bernstein.sequence(FIVE, ALPHA), 99), "0.427568 0.769210"),
    Row("Bernstein, n = 1000", ARITHMETIC, lambda: ends(bernstein.sequence(FIVE, ALPHA)), "0.537571 0.660701"),
    Row("Bernstein, constant", ARITHMETIC, lambda: ends(bernstein.sequence(np.full(1000, 0.5), ALPHA)),
        "0.492622 0.507378"),
    Row("its sister, n = 100", "confseq 0.0.11, predmix.py", lambda: ends(bernstein_sister(FIVE), 99),
        "0.426199 0.775369"),
    Row("its sister, n = 1000", "confseq 0.0.11, predmix.py", lambda: ends(bernstein_sister(FIVE)),
        "0.537175 0.662481"),
    Row("rho, 5000", GROWTHBOOK, lambda: asymptotic.rho(ALPHA, 5000), "0.0398400668"),
    Row("half-width, k = 100", GROWTHBOOK, lambda: tightest(100), ".6694389"),
    Row("half-width, k = 1000", GROWTHBOOK, lambda: tightest(1000), ".1063755"),
    Row("half-width, k = 5000", GROWTHBOOK, lambda: tightest(5000), ".0429243"),
    Row("half-width, k = 10000", GROWTHBOOK, lambda: tightest(10_000), ".0306148"),
    Row("half-width, k = 100000", GROWTHBOOK, lambda: tightest(100_000), ".0105521"),
    # ranks of quantiles: an end beyond the last value is the last value
    at_any_time(100, 0.5, "31 70"),
    at_any_time(100, 0.9, "78 100"),
    at_any_time(100, 0.95, "86 100"),
    at_any_time(100, 0.99, "94 100"),
    at_any_time(1000, 0.5, "453 548"),
    at_any_time(1000, 0.9, "870 928"),
    at_any_time(1000, 0.95, "928 970"),
    at_any_time(1000, 0.99, "979 998"),
    at_any_time(10_000, 0.5, "4838 5163"),
    at_any_time(10_000, 0.9, "8901 9096"),
    at_any_time(10_000, 0.95, "9428 9569"),
    at_any_time(10_000, 0.99, "9866 9931"),
    once(100, 0.99, "97 101"),
    once(1000, 0.99, "983 997"),
    once(10_000, 0.99, "9880 9920"),
    # boundaries that nothing here is judged by
    Row("normal mixture", CONFSEQ, lambda: boundaries.normal_mixture(100, ALPHA, 100), "30.35209"),
    Row("normal mixture's rho", CONFSEQ, lambda: boundaries.mixture_rho(100, ALPHA), "12.60056"),
    Row("poly-stitching, c = 3", CONFSEQ, lambda: boundaries.poly_stitching(100, ALPHA, 10, 3), "64.48755"),
    Row("double stitching, 0.5", CONFSEQ, lambda: boundaries.double_stitching(0.5, 1000, ALPHA, 100), "68.62803"),
    Row("double stitching, 0.9", CONFSEQ, lambda: boundaries.double_stitching(0.9, 1000, ALPHA, 100), "43.72119"),
    Row("double stitching, 0.1", CONFSEQ, lambda: boundaries.double_stitching(0.1, 1000, ALPHA, 100), "59.96521"),
    Row("gamma-exponential, c = 2", CONFSEQ, lambda: boundaries.gamma_exponential(100, ALPHA, 100, 2), "33.02017"),
    # Printed are eight digits and tested there to 1e-5: the last digit and a half are its solver's, not the formula's.
    Row("empirical LIL", CONFSEQ, lambda: boundaries.empirical_lil(1000, ALPHA, 100), ".082048"),
]  # fmt: skip


def unit(digits: str) -> float:
    """Of the last digit printed: .0672 → 0.0001, 8.58e-6 → 1e-8, 40 → 1."""
    mantissa, _, exponent = digits.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: re.sub(r"[^\w.]+", "-", row.what))
def test_a_published_value_comes_out_to_the_digits_printed(row: Row) -> None:
    found = np.atleast_1d(np.asarray(row.compute(), dtype=np.float64))
    printed = row.printed.split()
    assert len(found) == len(printed)
    off = [abs(value - float(digits)) / unit(digits) for value, digits in zip(found, printed, strict=True)]
    assert max(off) <= (1 if row.cut else 0.5) + 1e-6, (row.origin, found.tolist(), printed)


def test_the_table_says_where_each_value_is_from() -> None:
    assert all(row.origin and row.printed for row in TABLE)
    assert len({row.what for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    ("p", "printed", "exact"), [(0.9, 103, 103), (0.95, 163, 162), (0.99, 501, 499), (0.999, 3428, 3413)]
)
def test_too_few_values_have_no_upper_rank(p: float, printed: int, exact: int) -> None:
    """The page says "about 163, 501, 3,428": so many values reach 1/α when all of them lie below the quantile."""
    assert ranks.sequence(exact - 1, p, ALPHA) is None
    assert ranks.sequence(exact, p, ALPHA) is not None
    assert exact == pytest.approx(printed, rel=0.007)
    all_below, one_fewer = (
        float(bernoulli.log_mixture(logit([p]), np.array([n]), np.array([n]), ALPHA, bernoulli.T_OPT)[0])
        for n in (float(exact), float(exact - 1))
    )
    assert one_fewer < math.log(1 / ALPHA) <= all_below


@pytest.mark.parametrize(("margin", "buckets"), [(0.02, 740), (0.005, 2950)])
def test_the_strict_sequence_needs_buckets_even_where_nothing_varies(margin: float, buckets: int) -> None:
    """A margin m on a difference D, of which (D + 1)/2 lies in [0, 1], costs 4·ln(2/α)/m buckets."""
    low, high = bernstein.sequence(np.full(2 * buckets, 0.5), ALPHA)
    first = int(np.flatnonzero(high - low <= margin)[0]) + 1  # half the width of D is the width of X
    assert first == pytest.approx(4 * math.log(2 / ALPHA) / margin, abs=2)
    assert first == pytest.approx(buckets, rel=0.005)


def test_zero_events_cost_less_than_one_and_a_half_single_looks() -> None:
    # "about 1.4 times the rule of three": 1 − α^(1/n) is what one look bounds from one side.
    for n in (300, 1000, 10_000, 100_000):
        one_look_bound = -math.expm1(math.log(ALPHA) / n)
        assert float(bernoulli.upper(0, n, ALPHA, t_opt=n)[0]) / one_look_bound == pytest.approx(1.37, abs=0.02)
