"""Traces by OpenTelemetry (the extra `otel`), made from pairs: no request waits for a span, and no worker knows of one.

    SERVER   METHOD ROUTE      from the request's arrival to the end of production's answer
      CLIENT   production      every exchange: production's, the twin's, the candidates'; all in one trace
      CLIENT   twin
      CLIENT   v2

A request that came with a trace (W3C traceparent) continues it, and its own decision is followed: sampled or not. Of
the others `otel.traces` is the share that begins a trace. Only requests with a copy have spans.
"""

from __future__ import annotations

import logging
import random
import re
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shadowproxy import __version__
from shadowproxy.core.outcome import COMPLETE, OUTCOMES
from shadowproxy.recorder.heads import request_line, text
from shadowproxy.recorder.plan import Plan
from shadowproxy.recorder.writer import Emit
from shadowproxy.settings.snapshot import Otel
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

EXPORT_S: Final = 3.0
FAREWELL_S: Final = 2.0
_TRACEPARENT: Final = re.compile(
    rb"^traceparent:[ \t]*00-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})[ \t]*\r?$", re.I | re.M
)

Parent = tuple[int, int]  # trace id, span id


def parent_of(head: bytes) -> tuple[Parent | None, bool | None]:
    """(what the request's trace says is its parent, whether it is sampled); (None, None) without a valid one."""
    found = _TRACEPARENT.search(head)
    if found is None:
        return None, None
    return (int(found[1], 16), int(found[2], 16)), bool(int(found[3], 16) & 1)


class Counted:
    """An exporter that says how many spans left and how many did not; `tell(event)` hears that nobody takes them, or
    somebody does again."""

    def __init__(self, exporter: Any, tell: Callable[[str], None]) -> None:
        self._exporter = exporter
        self._tell = tell
        self._is_away = False
        self.sent = 0
        self.dropped = 0

    def export(self, spans: Sequence[Any]) -> Any:
        from opentelemetry.sdk.trace.export import SpanExportResult

        result = self._exporter.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        if is_away:
            self.dropped += len(spans)
        else:
            self.sent += len(spans)
        if is_away != self._is_away:
            self._is_away = is_away
            self._tell("otel.away" if is_away else "otel.back")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Tracing:
    """ImportError without the extra. `take` costs microseconds for a request that is not sampled."""

    def __init__(
        self,
        settings: Otel,
        emit: Emit,
        exporter: SpanExporter | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        self._share = settings.traces
        self._chance = chance
        self._otel: Any = trace
        self._exporter = Counted(
            exporter or _exporter(settings), lambda event: emit("warning", event, what="traces", to=settings.to)
        )
        resource = Resource.create(
            {"service.name": "shadowproxy", "service.version": __version__, "host.name": socket.gethostname()}
        )
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        counted: Any = self._exporter
        self._provider.add_span_processor(BatchSpanProcessor(counted, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("shadowproxy", __version__)

    def take(self, plan: Plan, pair: frames.Pair) -> None:
        parent, sampled = parent_of(pair.head)
        if sampled if sampled is not None else self._chance() < self._share:
            self._trace(plan, pair, parent)

    def _trace(self, plan: Plan, pair: frames.Pair, parent: Parent | None) -> None:
        arrival_ns = pair.arrival_us * 1000
        production = pair.exchanges[0]
        method, target = request_line(text(pair.head.partition(b"\r\n")[0]))
        route = plan.routes[pair.route].name
        span = self._tracer.start_span(
            f"{method} {route}",
            self._context(parent),
            self._otel.SpanKind.SERVER,
            {
                "http.request.method": method,
                "url.path": target.partition("?")[0],
                "shadowproxy.route": route,
                "shadowproxy.request_id": text(pair.id),
                "http.request.body.size": pair.body_bytes,
                **_answered(production),
            },
            start_time=arrival_ns,
        )
        inside = self._otel.set_span_in_context(span)
        for exchange in pair.exchanges:
            if exchange.outcome:
                self._exchange(plan, exchange, arrival_ns, inside)
        self._mark(span, production)
        span.end(arrival_ns + max(0, production.start) + max(0, production.total))

    def _exchange(self, plan: Plan, exchange: frames.Exchange, arrival_ns: int, inside: Any) -> None:
        name, version = plan.upstreams[exchange.role]
        start_ns = arrival_ns + max(0, exchange.start)
        span = self._tracer.start_span(
            name,
            inside,
            self._otel.SpanKind.CLIENT,
            {
                "shadowproxy.upstream": name,
                "shadowproxy.role": _role(exchange.role),
                "shadowproxy.version": version,
                "shadowproxy.outcome": OUTCOMES[exchange.outcome],
                **_server(plan, exchange.role),
                **_answered(exchange),
            },
            start_time=start_ns,
        )
        if exchange.first_byte >= 0:
            span.add_event("first byte", timestamp=start_ns + exchange.first_byte)
        self._mark(span, exchange)
        span.end(start_ns + max(0, exchange.total))

    def _context(self, parent: Parent | None) -> Any:
        if parent is None:
            return self._otel.set_span_in_context(self._otel.INVALID_SPAN)
        flags = self._otel.TraceFlags(self._otel.TraceFlags.SAMPLED)
        remote = self._otel.SpanContext(*parent, is_remote=True, trace_flags=flags)
        return self._otel.set_span_in_context(self._otel.NonRecordingSpan(remote))

    def _mark(self, span: Any, exchange: frames.Exchange) -> None:
        """An exchange that failed, or whose server did, is an error (semantic conventions for HTTP spans)."""
        if exchange.outcome == COMPLETE and exchange.status < 500:
            return
        kind = str(exchange.status) if exchange.outcome == COMPLETE else OUTCOMES[exchange.outcome]
        span.set_attribute("error.type", kind)
        span.set_status(self._otel.Status(self._otel.StatusCode.ERROR, text(exchange.error) or None))

    def counters(self) -> dict[str, float]:
        return {
            'pushed_total{to="otel_traces"}': self._exporter.sent,
            'push_dropped_total{to="otel_traces"}': self._exporter.dropped,
        }

    def close(self) -> None:
        """May block for as long as an export takes."""
        self._provider.force_flush(int(FAREWELL_S * 1000))
        self._provider.shutdown()


def _exporter(settings: Otel) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # It tells of each failed try; what follows from it is told here, once.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    return OTLPSpanExporter(f"{settings.to}/v1/traces", headers=dict(settings.headers), timeout=EXPORT_S)


def _role(role: int) -> str:
    return ("production", "twin")[role] if role < frames.FIRST_CANDIDATE else "candidate"


def _server(plan: Plan, role: int) -> dict[str, Any]:
    """Of production several may answer: which one is not known here."""
    snapshot = plan.snapshot
    if role == frames.PRODUCTION:
        urls = snapshot.production.urls
        url = urls[0] if len(urls) == 1 else ""
    elif role == frames.TWIN:
        url = snapshot.twin.url if snapshot.twin else ""
    else:
        url = snapshot.candidates[role - frames.FIRST_CANDIDATE].url
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    return {"server.address": parts.hostname, "server.port": parts.port or (443 if parts.scheme == "https" else 80)}


def _answered(exchange: frames.Exchange) -> dict[str, Any]:
    if not exchange.status:
        return {}
    return {"http.response.status_code": exchange.status, "http.response.body.size": exchange.body_bytes}
