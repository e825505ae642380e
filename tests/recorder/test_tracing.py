"""Spans made from pairs: one trace for production and its copies, the client's own where it began one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shadowproxy.core.outcome import TIMEOUT
from shadowproxy.recorder.plan import Plan, compile_plan
from shadowproxy.recorder.tracing import Tracing, parent_of
from shadowproxy.settings.snapshot import Otel
from tests.support import frames as f

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
ARRIVAL_NS = f.ARRIVAL_US * 1000


class World:
    def __init__(self, plan: Plan, exporter: SpanExporter, events: list[str], chance: float) -> None:
        self.plan = plan
        self.exporter = exporter
        self.events = events
        settings = Otel(to="http://nowhere.invalid", traces=0.5)
        self.tracing = Tracing(
            settings, lambda level, event, **fields: events.append(event), exporter, chance=lambda: chance
        )

    def spans(self, *pairs: Any) -> list[Any]:
        for pair in pairs:
            self.tracing.take(self.plan, pair)
        self.tracing.close()
        assert isinstance(self.exporter, InMemorySpanExporter)
        return sorted(self.exporter.get_finished_spans(), key=lambda span: (span.context.trace_id, span.parent is None))


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def world(chance: float = 0.0, exporter: SpanExporter | None = None) -> World:
        snapshot = f.snapshot(str(tmp_path), candidates=2, twin=True)
        plan = compile_plan(snapshot, snapshot.pairs, b"key")
        made.append(World(plan, exporter or InMemorySpanExporter(), [], chance))
        return made[-1]

    yield world
    for one in made:
        one.tracing.close()


def pair(*exchanges: Any, trace: str = "", **more: Any) -> Any:
    fields = ["Host: x", *([f"traceparent: {trace}"] if trace else [])]
    return f.pair(*exchanges, head=f.head(*fields, first="POST /predict?key=secret HTTP/1.1"), **more)


def test_production_twin_and_candidates_share_the_client_s_trace(make: Make) -> None:
    exchanges = (f.exchange(), f.exchange(1, ms=20.0), f.candidate(0, ms=30.0), f.candidate(1, status=500))
    spans = make(chance=0.99).spans(pair(*exchanges, trace=f"00-{TRACE}-{SPAN}-01"))
    by_name = {span.name: span for span in spans}
    server = by_name["POST default"]
    assert set(by_name) == {"POST default", "v1", "twin", "v2", "v3"}
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    assert f"{server.parent.span_id:016x}" == SPAN
    assert {by_name[name].parent.span_id for name in ("v1", "twin", "v2", "v3")} == {server.context.span_id}
    assert (server.kind.name, by_name["v2"].kind.name) == ("SERVER", "CLIENT")
    assert server.start_time == ARRIVAL_NS
    assert by_name["v2"].start_time == ARRIVAL_NS + f.MS // 10
    assert by_name["v2"].end_time - by_name["v2"].start_time == 31 * f.MS
    assert server.end_time == by_name["v1"].end_time
    assert server.attributes["url.path"] == "/predict"
    assert "secret" not in repr([dict(span.attributes) for span in spans])
    assert server.attributes["shadowproxy.request_id"] == "request-1"
    assert (
        dict(by_name["v2"].attributes).items()
        >= {
            "shadowproxy.role": "candidate",
            "shadowproxy.outcome": "complete",
            "server.address": "127.0.0.1",
            "server.port": 2,
            "http.response.status_code": 200,
        }.items()
    )
    assert [by_name[name].status.status_code.name for name in ("v2", "v3")] == ["UNSET", "ERROR"]
    assert by_name["v3"].attributes["error.type"] == "500"


def test_a_copy_that_failed_is_an_error_with_its_outcome_and_one_that_was_dropped_has_no_span(make: Make) -> None:
    late = f.candidate(0, status=0, result=TIMEOUT, error=b"No whole answer within 5 s.")
    spans = make().spans(pair(f.exchange(), late, f.dropped(3, 2), trace=f"00-{TRACE}-{SPAN}-01"))
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"POST default", "v1", "v2"}
    assert by_name["v2"].attributes["error.type"] == "timeout"
    assert by_name["v2"].status.description == "No whole answer within 5 s."


@pytest.mark.parametrize(
    ("trace", "chance", "expected"),
    [
        ("", 0.49, 1),  # otel.traces is 50 %
        ("", 0.51, 0),
        (f"00-{TRACE}-{SPAN}-01", 0.99, 1),
        (f"00-{TRACE}-{SPAN}-00", 0.0, 0),  # the client decided
        (f"00-{'0' * 32}-{SPAN}-01", 0.99, 0),  # no trace
        (f"00-{TRACE}-{'0' * 16}-01", 0.99, 0),
        ("nonsense", 0.49, 1),
    ],
)
def test_who_is_sampled(make: Make, trace: str, chance: float, expected: int) -> None:
    spans = make(chance).spans(pair(trace=trace))
    assert len({span.context.trace_id for span in spans}) == expected


def test_two_requests_without_a_trace_get_one_each(make: Make) -> None:
    spans = make(0.0).spans(pair(), pair())
    assert len({span.context.trace_id for span in spans}) == 2
    assert [span.parent for span in spans if span.name == "POST default"] == [None, None]


def test_the_parent_is_read_whatever_the_case() -> None:
    head = f"GET / HTTP/1.1\r\nTraceParent:  00-{TRACE}-{SPAN}-01 \r\nHost: x\r\n\r\n".encode()
    assert parent_of(head) == ((int(TRACE, 16), int(SPAN, 16)), True)
    assert parent_of(b"GET / HTTP/1.1\r\nX-traceparent: 00\r\n\r\n") == (None, None)


def test_what_nobody_takes_is_counted_and_told_once(make: Make) -> None:
    class Away(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.FAILURE

    world = make(0.0, Away())
    for _ in range(2):
        world.tracing.take(world.plan, pair())
        world.tracing._provider.force_flush()
    assert world.tracing.counters() == {
        'pushed_total{to="otel_traces"}': 0,
        'push_dropped_total{to="otel_traces"}': 6,
    }
    assert world.events == ["otel.away"]
