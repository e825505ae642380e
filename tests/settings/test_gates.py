"""Gate expressions."""

from __future__ import annotations

import pytest

from shadowproxy.settings.gates import METRICS, gates_over, parse_gate

READ = [
    ("error_rate_increase<=0.5pp", "error_rate_increase", (), 0.005, "pp"),
    (" error_rate_increase <= 0.5 pp ", "error_rate_increase", (), 0.005, "pp"),
    ("slower_share{by=25%}<=10pp", "slower_share", (("by", "25%"),), 0.1, "pp"),
    ("disagreement{slice=country:DE}<=3%", "disagreement", (("slice", "country:DE"),), 0.03, "%"),
    ("slo_miss_increase{over=2s,slice=t:a}<=1pp", "slo_miss_increase", (("over", "2s"), ("slice", "t:a")), 0.01, "pp"),
    ("latency_p99_ratio<=1.2x", "latency_p99_ratio", (), 1.2, "x"),
    ("latency_p99_ratio<=1.2", "latency_p99_ratio", (), 1.2, "x"),
    ("nonfinite_increase<=0", "nonfinite_increase", (), 0.0, "pp"),
    ("similarity_loss<=0.02", "similarity_loss", (), 0.02, ""),
    ("mean(brier)<=0.1", "mean(brier)", (), 0.1, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "metric", "options", "limit", "unit"), READ)
def test_a_gate_is_read(text: str, metric: str, options: tuple[tuple[str, str], ...], limit: float, unit: str) -> None:
    gate = parse_gate(text)
    assert (gate.metric, gate.options, gate.unit) == (metric, options, unit)
    assert gate.limit == pytest.approx(limit)


def test_only_a_metric_of_a_comparison_may_be_better_when_it_is_more() -> None:
    assert parse_gate("mean(overlap)>=0.9").operator == ">="


EXPECTED = "expected a gate such as error_rate_increase<=0.5pp, there was"
OPTIONS = "expected {option=value,…} after slower_share, each option once, there was"
REFUSED = [
    ("", f"{EXPECTED} ''"),
    ("error_rate_increase", f"{EXPECTED} 'error_rate_increase'"),
    ("error_rate_increase<0.5pp", f"{EXPECTED} 'error_rate_increase<0.5pp'"),
    ("error_rate_increase<=0.5 percent", f"{EXPECTED} 'error_rate_increase<=0.5 percent'"),
    ("error_rate<=1%", "expected one of the gate metrics, there was 'error_rate'; did you mean error_rate_increase?"),
    ("difference>=1%", "expected difference<=…, because less is better; there was 'difference>=1%'"),
    ("error_rate_increase<=1%", "expected a limit of error_rate_increase in pp, there was 1%; did you mean 1pp?"),
    ("error_rate_increase<=0.5", "expected a limit of error_rate_increase in pp, there was 0.5; did you mean 0.5pp?"),
    ("similarity_loss<=2%", "expected a limit of similarity_loss without a unit, there was 2%; did you mean 2?"),
    ("slower_share{bye=2%}<=1pp", "expected an option of slower_share (slice, by), there was 'bye'; did you mean by?"),
    ("slower_share{by=1}<=1pp", "expected a share, there was 1: write 1% or 100%"),
    ("slo_miss_increase{over=200}<=1pp", "expected a duration with its unit, there was 200; did you mean 200s?"),
    ("disagreement{slice=DE}<=1%", "expected slice=NAME:VALUE, there was slice=DE"),
    ("slower_share{by=5%,by=6%}<=1pp", f"{OPTIONS} {{by=5%,by=6%}}"),
    ("slower_share{by}<=1pp", f"{OPTIONS} {{by}}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_no_gate_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 — the whole message is compared
        parse_gate(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_takes_a_limit_in_its_unit(metric: str) -> None:
    assert parse_gate(f"{metric}<=0.5{METRICS[metric].unit}").metric == metric


@pytest.mark.parametrize(
    ("base", "own", "merged"),
    [
        (None, (), None),
        ((), (), ()),
        (("disagreement<=1%",), (), ("disagreement<=1%",)),
        (None, ("disagreement<=1%",), ("disagreement<=1%",)),
        ((), ("disagreement<=1%",), ("disagreement<=1%",)),
        (
            ("disagreement<=1%", "error_rate_increase<=0.5pp"),
            ("disagreement<=5%",),
            ("error_rate_increase<=0.5pp", "disagreement<=5%"),
        ),
        # another slice is another question
        (
            ("disagreement<=1%",),
            ("disagreement{slice=c:DE}<=5%",),
            ("disagreement<=1%", "disagreement{slice=c:DE}<=5%"),
        ),
    ],
)
def test_a_candidate_s_gates_lie_over_the_global_ones(base, own, merged) -> None:  # type: ignore[no-untyped-def]
    assert gates_over(base, own) == merged
