"""The whole file."""

from __future__ import annotations

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.edge import Admin, DownstreamTls, Limits, Mirror, Notify
from shadowproxy.settings.model.judging import Compare, Route, Statistics
from shadowproxy.settings.model.logging import Pairs
from shadowproxy.settings.model.section import Section, optional, required
from shadowproxy.settings.model.signals import Flags, Logs, Metrics, Otel
from shadowproxy.settings.model.upstream import Candidate, Production, Twin


class Settings(Section):
    listen: f.Address = optional("127.0.0.1:8080", "HOST:PORT for clients; :8080 means all interfaces.")
    workers: f.Workers = optional(
        1, "Worker processes; auto: one fewer than the processors that may be used, at least 1."
    )
    state: f.Path = optional(
        "./shadow-state", "Directory for what operators changed, the redaction key and the history."
    )
    admin: Admin = optional(Admin(), "API, dashboard, metrics and probes on a port of their own.")
    tls: DownstreamTls | None = optional(None, "TLS for clients: 1.2 or newer.")
    trusted_proxies: tuple[f.Network, ...] = optional(
        (), "CIDRs whose X-Forwarded-* headers are appended to; from others they are replaced."
    )
    via: f.Token = optional("shadowproxy", "Our name in Via; loops are recognised by it.")
    answer_request_id: f.Switch = optional(False, "Whether answers get the X-Request-ID header.")
    production: Production = required("The model whose answers clients get.")
    twin: Twin | None = optional(
        None, "A second copy of production, same model and version; the keys of a candidate but four."
    )
    candidates: tuple[Candidate, ...] = optional((), "Models under test; their answers are only recorded.")
    mirror: Mirror = optional(Mirror(), "What is copied at all.")
    limits: Limits = optional(Limits(), "What clients may ask of the proxy.")
    routes: tuple[Route, ...] | None = optional(
        None, "First match wins; what matches none is proxied, not mirrored. Default: everything."
    )
    compare: Compare = optional(Compare(), "How two answers are compared.")
    statistics: Statistics = optional(Statistics(), "How much evidence a verdict needs.")
    gates: tuple[f.GateText, ...] | None = optional(
        None, "What a candidate must keep. Absent: the defaults of `expect`; []: nothing is judged."
    )
    pairs: Pairs = optional(Pairs(), "The pair log.")
    notify: tuple[Notify, ...] = optional((), "Webhooks that are told of events.")
    flags: Flags | None = optional(
        None, "Feature flags (OpenFeature) that sampling and pause follow; when in doubt, no copies are sent."
    )
    logs: Logs = optional(Logs(), "Lines about the proxy itself; read when it starts.")
    otel: Otel | None = optional(None, "Metrics and traces by OpenTelemetry.")
    metrics: Metrics = optional(Metrics(), "Where metrics are pushed; /metrics is there anyway.")
