"""A running proxy pushes: one trace for production and its mirrors, and metrics that add up, by OTLP and StatsD."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support.client import ask, post
from tests.support.load import returns_the_body
from tests.support.otlp import Receiver, attributes
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Upstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_spans_and_metrics_reach_a_receiver(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd,
        Upstream(returns_the_body) as production,
        Upstream(returns_the_body) as twin,
        Upstream(returns_the_body) as v2,
    ):
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(15)
        config = {
            "production": {"url": production.url},
            "twin": {"url": twin.url},
            "candidates": [{"name": "v2", "url": v2.url}],
            "metrics": {"every": "1s", "statsd": {"to": f"127.0.0.1:{statsd.getsockname()[1]}"}},
            "otel": {"to": receiver.url, "traces": "100%"},
        }
        with Proxy(tmp_path, config) as proxy:
            sampled = f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01"
            ask(proxy.address, post("/predict", b"{}", sampled))
            ask(proxy.address, post("/predict", b"{}", f"traceparent: 00-{TRACE[::-1]}-00f067aa0ba902b7-00"))
            ask(proxy.address, post("/predict", b"{}"))
            until(lambda: len(receiver.spans) >= 8, 15, "the spans of two requests", step_s=0.05)
            until(lambda: _requests(receiver) == 3, 15, "a metric that counts all three", step_s=0.05)
            counted = 0
            while counted < 3:  # by StatsD, in whichever pushes they come
                counted += sum(
                    int(line.split(b":")[1].split(b"|")[0])
                    for line in statsd.recv(65536).split(b"\n")
                    if line.startswith(b"shadowproxy.requests_total:")
                )
            assert counted == 3
            proxy.stop()
        assert len(receiver.spans) == 8
        ours = [span for span in receiver.spans if span.trace_id.hex() == TRACE]
        assert sorted(span.name for span in ours) == ["POST default", "production", "twin", "v2"]
        [server] = [span for span in ours if span.name == "POST default"]
        assert server.parent_span_id.hex() == "00f067aa0ba902b7"
        assert {span.parent_span_id for span in ours if span is not server} == {server.span_id}
        roles = {attributes(span.attributes)["shadowproxy.role"] for span in ours if span is not server}
        assert roles == {"production", "twin", "candidate"}
        assert len({span.trace_id for span in receiver.spans}) == 2


def _requests(receiver: Receiver) -> float:
    found = receiver.metrics.get("shadowproxy.requests")
    return sum(point.as_double for point in found.sum.data_points) if found is not None else 0.0
