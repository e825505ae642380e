"""The text of /metrics, read back by Prometheus' own parser."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from shadowproxy.admin.exposition import MAX_SERIES, MAX_VALUE, Totals
from shadowproxy.admin.series import by_label, merge_gauges, parse
from tests.admin.status import SNAPSHOT, status

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposed(told: dict[str, Any]) -> tuple[str, Samples]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Totals(SNAPSHOT, told))
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
    ("shadowproxy_agreement_ratio", {"candidate": "v2"}, 36 / 40),
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
]


def test_every_sample_has_the_contracts_name_and_labels() -> None:
    _, samples = exposed(status())
    for name, labels, value in EXPECTED:
        assert samples[name, tuple(sorted(labels.items()))] == pytest.approx(value), (name, labels)


def test_every_family_has_a_type_and_a_help_of_its_own() -> None:
    text, _ = exposed(status())
    families = list(text_string_to_metric_families(text))
    assert all(family.name.startswith("shadowproxy_") and family.type != "unknown" for family in families)
    assert all(family.documentation.endswith(".") for family in families)
    assert len({family.name for family in families}) == len(families)


def test_nothing_counted_yet_parses_too() -> None:
    told = with_totals({})
    told["children"], told["ledger"]["rows"] = [], []
    _, samples = exposed(told)
    assert samples["shadowproxy_build_info", (("version", "0.1.0"),)] == 1
    assert not [name for name, _ in samples if name.endswith("_ratio")]  # no data is not a ratio of 0


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
