"""The text of /metrics, read back by Prometheus' own parser."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from shadowproxy.admin.exposition import MAX_SERIES, Totals
from shadowproxy.admin.metric_names import HELP, MAX_VALUE, PREFIX
from shadowproxy.admin.reading import Reading
from shadowproxy.admin.series import by_label, merge_gauges, parse
from shadowproxy.core.outcome import DROPPED, OUTCOMES, UNLOGGED
from tests.admin.status import SNAPSHOT, record, status
from tests.support.tools import require

REPOSITORY = Path(__file__).resolve().parents[2]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposed(told: dict[str, Any], **more: Any) -> tuple[str, Samples]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Totals(Reading(SNAPSHOT, told, **more)))
    text = generate_latest(registry).decode()
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return text, samples


def with_totals(counters: dict[str, float], histograms: dict[str, Any] | None = None) -> dict[str, Any]:
    return status(totals={"counters": counters, "histograms": histograms or {}})


EXPECTED: list[tuple[str, dict[str, str], float]] = [
    ("shadowproxy_requests_total", {"route": "predict", "code": "200"}, 90),
    ("shadowproxy_requests_total", {"route": "predict", "code": "502"}, 10),
    ("shadowproxy_mirrored_total", {"candidate": "v2", "outcome": "complete"}, 44),
    ("shadowproxy_mirror_dropped_total", {"candidate": "v2", "reason": "in_flight"}, 6),
    ("shadowproxy_pairs_total", {"candidate": "v2", "result": "different"}, 10),
    ("shadowproxy_pairs_unlogged_total", {"reason": "disk"}, 1),
    ("shadowproxy_agreement_ratio", {"candidate": "v2"}, 36 / 40),  # of its present trial
    ("shadowproxy_pairs_decided_total", {"candidate": "v2"}, 40 + 10),  # of all
    ("shadowproxy_coverage_ratio", {"candidate": "v2"}, 40 / 50),
    ("shadowproxy_coverage_ratio", {"candidate": "twin"}, 1),
    ("shadowproxy_mirror_in_flight", {"candidate": "v2"}, 3 + 4),
    ("shadowproxy_loop_lag_seconds", {}, 0.5),  # the worst worker's, not the sum
    ("shadowproxy_log_bytes", {}, 4096),
    ("shadowproxy_build_info", {"version": "0.1.0"}, 1),
    ("shadowproxy_ready", {}, 1),
    ("shadowproxy_process_restarts_total", {"role": "worker"}, 2),
    # 60, 30 and 10 a bucket: cumulative in the text
    ("shadowproxy_request_duration_seconds_bucket", {"route": "predict", "le": "0.005"}, 60),
    ("shadowproxy_request_duration_seconds_bucket", {"route": "predict", "le": "0.01"}, 90),
    ("shadowproxy_request_duration_seconds_bucket", {"route": "predict", "le": "+Inf"}, 100),
    ("shadowproxy_request_duration_seconds_count", {"route": "predict"}, 100),
    ("shadowproxy_request_duration_seconds_sum", {"route": "predict"}, 1.5),
    ("shadowproxy_overhead_seconds_count", {}, 100),
    ("shadowproxy_upstream_duration_seconds_count", {"upstream": "v2", "role": "candidate"}, 2),
    ("shadowproxy_first_token_seconds_count", {"upstream": "v1", "role": "production"}, 2),
    ("shadowproxy_mirror_buffered_bytes", {}, 1000),
    ("shadowproxy_sample_ratio", {"candidate": "v2"}, 0.5),
    ("shadowproxy_sample_ratio", {"candidate": "v3"}, 0),  # paused
    ("shadowproxy_log_limit_bytes", {}, 20 << 30),
    ("shadowproxy_verdict", {"candidate": "v2", "state": "FAIL"}, 1),
    ("shadowproxy_verdict", {"candidate": "v2", "state": "PASS"}, 0),
    ("shadowproxy_verdict", {"candidate": "v2", "state": "INCONCLUSIVE"}, 0),
    ("shadowproxy_gate_state", {"candidate": "v2", "gate": "error_rate_increase", "state": "FAIL"}, 1),
    ("shadowproxy_gate_state", {"candidate": "v2", "gate": "slower_share{by=25%}", "state": "INCONCLUSIVE"}, 1),
    ("shadowproxy_gate_estimate", {"candidate": "v2", "gate": "error_rate_increase"}, 0.012),
    ("shadowproxy_gate_low", {"candidate": "v2", "gate": "error_rate_increase"}, 0.009),
    ("shadowproxy_gate_high", {"candidate": "v2", "gate": "error_rate_increase"}, 0.016),
    ("shadowproxy_gate_limit", {"candidate": "v2", "gate": "slower_share{by=25%}"}, 0.1),
    ("shadowproxy_trial_start_timestamp_seconds", {"candidate": "v2"}, 1772373600.123456),
    ("shadowproxy_deployments_total", {"action": "promoted"}, 3),
    ("shadowproxy_deployments_total", {"action": "rolled_back"}, 1),
]
EVERYTHING: dict[str, Any] = {
    "verdicts": {"v2": record(), "v3": record(verdict=None, gates=[], window={"from": None, "to": None})},
    "deployments": {"promoted": 3, "rolled_back": 1},
}

# CONTRACT §7, to the letter: every name with its labels.
CONTRACT = [
    "requests_total{route,code}",
    "request_duration_seconds{route}",
    "overhead_seconds",
    "upstream_duration_seconds{upstream,role}",
    "first_token_seconds{upstream,role}",
    "mirrored_total{candidate,outcome}",
    "mirror_dropped_total{candidate,reason}",
    "mirror_in_flight{candidate}",
    "mirror_buffered_bytes",
    "pairs_total{candidate,result}",
    "pairs_unlogged_total{reason}",
    "agreement_ratio{candidate}",
    "coverage_ratio{candidate}",
    "gate_state{candidate,gate,state}",
    "gate_estimate{candidate,gate}",
    "gate_low{candidate,gate}",
    "gate_high{candidate,gate}",
    "gate_limit{candidate,gate}",
    "verdict{candidate,state}",
    "trial_start_timestamp_seconds{candidate}",
    "deployments_total{action}",
    "loop_lag_seconds",
    "log_bytes",
    "build_info{version}",
]


def test_every_sample_has_the_contracts_name_and_labels() -> None:
    _, samples = exposed(status(), **EVERYTHING)
    for name, labels, value in EXPECTED:
        assert samples[name, tuple(sorted(labels.items()))] == pytest.approx(value), (name, labels)


def labels_of(text: str) -> dict[str, set[str]]:
    """By name as the contract writes it, without the prefix: the labels of its samples."""
    return {
        (f.name + "_total" if f.type == "counter" else f.name).removeprefix(PREFIX): {
            label for sample in f.samples for label in sample.labels if label != "le"
        }
        for f in text_string_to_metric_families(text)
        if f.samples
    }


@pytest.mark.parametrize("metric", CONTRACT)
def test_every_metric_of_the_contract_is_there_with_its_labels(metric: str) -> None:
    name, _, labels = metric.rstrip("}").partition("{")
    assert labels_of(exposed(status(), **EVERYTHING)[0])[name] == set(filter(None, labels.split(",")))


def test_every_metric_is_documented_with_its_labels() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text()
    shown = labels_of(exposed(status(), **EVERYTHING)[0])
    assert HELP.keys() == shown.keys()
    cells = [f"`{PREFIX}{n}{'{' + ','.join(sorted(labels)) + '}' if labels else ''}`" for n, labels in shown.items()]
    assert [cell for cell in cells if f"| {cell} | " not in page] == []
    assert page.count(f"| `{PREFIX}") == len(cells)


def test_promtool_has_nothing_to_say() -> None:
    promtool = require("promtool", "prometheus")
    text, _ = exposed(status(), **EVERYTHING)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_candidate_that_nobody_judges_has_no_verdict_and_a_gate_without_bounds_none() -> None:
    _, samples = exposed(status(), **EVERYTHING)
    assert not [labels for name, labels in samples if name == "shadowproxy_verdict" and ("candidate", "v3") in labels]
    low = [labels for name, labels in samples if name == "shadowproxy_gate_low"]
    assert low == [(("candidate", "v2"), ("gate", "error_rate_increase"))]


def test_every_family_has_a_type_and_a_help_of_its_own() -> None:
    text, _ = exposed(status(), **EVERYTHING)
    families = list(text_string_to_metric_families(text))
    assert all(family.name.startswith("shadowproxy_") and family.type != "unknown" for family in families)
    assert all(family.documentation.endswith(".") for family in families)
    assert len({family.name for family in families}) == len(families)


def test_nothing_counted_yet_parses_too() -> None:
    told = with_totals({})
    told["children"], told["ledger"]["rows"] = [], []
    text, samples = exposed(told)
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert kinds == {f.name: f.type for f in text_string_to_metric_families(exposed(status(), **EVERYTHING)[0])}
    assert samples["shadowproxy_build_info", (("version", "0.1.0"),)] == 1
    assert not [
        name for name, _ in samples if name.endswith(("agreement_ratio", "coverage_ratio"))
    ]  # no data is not a ratio of 0


# An alert on increase() sees the first one too only if its series was there before.
FROM_THE_START = [
    ("mirrored_total", "candidate", ("v2", "v3", "twin"), "outcome", OUTCOMES[1:]),
    ("mirror_dropped_total", "candidate", ("v2", "v3", "twin"), "reason", DROPPED[1:]),
    ("pairs_total", "candidate", ("v2", "v3"), "result", ("same", "different", "incomparable")),
]


def test_counters_of_closed_sets_begin_at_zero() -> None:
    _, samples = exposed(with_totals({'mirrored_total{candidate="v2",outcome="complete"}': 7.0}))
    for name, by, names, label, values in FROM_THE_START:
        found = {labels: value for (key, labels), value in samples.items() if key == PREFIX + name}
        assert found.keys() == {((by, one), (label, value)) for one in names for value in values}
        assert sum(found.values()) == (7.0 if name == "mirrored_total" else 0.0)
    assert {labels for name, labels in samples if name == f"{PREFIX}pairs_unlogged_total"} == {
        (("reason", reason),) for reason in UNLOGGED[1:]
    }


@pytest.mark.parametrize("value", ['with "quotes"', "back\\slash", "line\nbreak", "é{}=,", ""])
def test_label_values_survive_the_way(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    _, samples = exposed(with_totals({f'requests_total{{route="{quoted}",code="200"}}': 7.0}))
    assert samples["shadowproxy_requests_total", (("code", "200"), ("route", value))] == 7


def test_labels_are_capped_and_sums_stay_true() -> None:
    counters = {f'requests_total{{route="r{n:05}",code="200"}}': 1.0 for n in range(MAX_SERIES + 50)}
    counters[f'mirrored_total{{candidate="{"x" * 500}",outcome="reset"}}'] = 1.0
    _, samples = exposed(with_totals(counters))
    requests = {labels: v for (name, labels), v in samples.items() if name == "shadowproxy_requests_total"}
    assert len(requests) == MAX_SERIES + 1
    assert requests[("code", "other"), ("route", "other")] == 50
    assert sum(requests.values()) == MAX_SERIES + 50
    assert samples["shadowproxy_mirrored_total", (("candidate", "x" * MAX_VALUE), ("outcome", "reset"))] == 1


def test_what_is_no_series_or_does_not_fit_its_name_is_left_out() -> None:
    _, samples = exposed(with_totals({"no series at all": 1.0, "a_total": 1.0, 'a_total{x="1"}': 5.0, "B{": 2.0}))
    assert samples["shadowproxy_a_total", ()] == 1
    assert not [name for name, _ in samples if "series" in name]


def test_series_are_taken_apart_and_added_up() -> None:
    assert parse('a_total{x="1",y="a\\"b"}') == ("a_total", (("x", "1"), ("y", 'a"b')))
    assert parse("a total") is None
    assert by_label({'a{x="1",y="1"}': 1.0, 'a{x="1",y="2"}': 2.0, 'b{x="1"}': 4.0}, "a", "x") == {"1": 3.0}
    assert merge_gauges(
        [{"connections": 1.0, "loop_lag_seconds": 2.0}, {"connections": 2.0, "loop_lag_seconds": 1.0}]
    ) == {
        "connections": 3.0,
        "loop_lag_seconds": 2.0,
    }
