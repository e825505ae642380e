"""The snapshot: an immutable picture of the whole configuration, as every process receives it.

The settings model (`model.py`) validates what people write; a snapshot is what processes read. Durations are
float seconds, sizes int bytes, shares floats in 0…1, paths absolute. It travels as JSON between processes, and a
request keeps the snapshot that it began with. Nothing here imports pydantic: workers load this module and stay small.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class UpstreamTls(_Struct, frozen=True, kw_only=True):
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None
    verify: bool = True


class DownstreamTls(_Struct, frozen=True, kw_only=True):
    certificate: str
    key: str
    client_ca: str | None = None  # when set, clients must present a certificate that this CA signed


class Timeouts(_Struct, frozen=True, kw_only=True):
    connect: float = 1.0
    first_byte: float = 60.0
    idle: float = 60.0


class Production(_Struct, frozen=True, kw_only=True):
    name: str = "production"
    urls: tuple[str, ...]  # "http://host:port" or "https://host:port", never a path
    version: str = ""
    host: str = "preserve"  # "preserve", "upstream" or a literal
    tls: UpstreamTls = UpstreamTls()
    timeouts: Timeouts = Timeouts()
    connections: int = 512  # whole proxy
    keep_alive: float = 4.0
    max_age: float = 300.0
    headers_set: tuple[tuple[str, str], ...] = ()
    headers_remove: tuple[str, ...] = ()
    json_set: tuple[tuple[str, Any], ...] = ()  # (("$.model", "m2"), ...)
    path_replace: str | None = None
    path_with: str | None = None


class Breaker(_Struct, frozen=True, kw_only=True):
    failures: int = 20
    window: float = 10.0
    probe: float = 5.0


class Candidate(_Struct, frozen=True, kw_only=True):
    """A candidate, or the twin (whose name is "twin" and whose `trial` is its production's)."""

    name: str
    url: str
    version: str = ""
    trial: str = ""  # core.trial.trial_id() of production and this candidate
    expect: str = "similar"
    gated: bool = True
    sample: float = 1.0
    sample_key: str = "id"  # id | header:NAME | cookie:NAME | json:$.path
    timeout: float | None = None  # None: auto
    max_in_flight: int = 100  # whole proxy
    mirror_up_to: int = 1 << 20
    answer_up_to: int = 16 << 20
    send: str = "with_production"  # with_production | after_production
    host: str = "upstream"
    headers_set: tuple[tuple[str, str], ...] = ()
    headers_remove: tuple[str, ...] = ()
    credentials: str = "strip"  # strip | forward
    json_set: tuple[tuple[str, Any], ...] = ()  # (("$.model", "m2"), ...)
    path_replace: str | None = None
    path_with: str | None = None
    breaker: Breaker = Breaker()
    stop_after: float | None = 7 * 86400.0
    stop_on: tuple[str, ...] = ()
    gates: tuple[str, ...] | None = None
    paused: bool = False
    tls: UpstreamTls = UpstreamTls()


class Mirror(_Struct, frozen=True, kw_only=True):
    methods: tuple[str, ...] = ("POST",)
    max_buffered: int = 64 << 20  # per worker
    shed: bool = True


class Limits(_Struct, frozen=True, kw_only=True):
    head: int = 16 << 10
    headers: int = 100
    body: int = 100 << 20  # 0 = unlimited
    head_timeout: float = 5.0
    body_idle: float = 15.0
    keep_alive: float = 75.0
    client_stall: float = 60.0
    connections: int = 10000  # whole proxy
    connection_age: float = 3600.0
    tunnel_idle: float = 3600.0
    drain_delay: float = 5.0
    drain: float = 20.0


class Match(_Struct, frozen=True, kw_only=True):
    path: str | None = None  # glob: * within a segment, ** across; `{name}`-free
    methods: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()  # (name, glob of the value)
    query: tuple[tuple[str, str], ...] = ()
    json: tuple[tuple[str, Any], ...] = ()  # ("$.path", value)


class Prediction(_Struct, frozen=True, kw_only=True):
    at: str | None = None  # JSONPath
    kind: str = "opaque"  # what the file calls `is`
    key: str | None = None
    threshold: float | None = None
    tolerance: float | None = None
    top: int | None = None


class Compare(_Struct, frozen=True, kw_only=True):
    up_to: int = 256 << 10
    ignore: tuple[str, ...] = ()  # JSONPaths; "header:NAME" for a header
    absolute: float = 0.0
    relative: float = 1e-9
    by_datatype: bool = True  # numbers of a known type may also miss what its rounding brings
    unordered: tuple[str, ...] = ()
    headers: tuple[str, ...] = ("content-type",)  # answer headers that are compared


class Route(_Struct, frozen=True, kw_only=True):
    name: str = "default"
    match: Match = Match()
    candidates: tuple[str, ...] | None = None  # None: all
    protocol: str = "auto"
    prediction: Prediction | None = None
    key: str = "id"  # id | header:NAME | json:$.path | answer:$.path
    slices: tuple[tuple[str, str], ...] = ()
    compare: Compare = Compare()  # global and route's own, already merged


class AtLeast(_Struct, frozen=True, kw_only=True):
    pairs: int = 500
    time: float = 0.0


class Statistics(_Struct, frozen=True, kw_only=True):
    confidence: float = 0.95
    bucket: float = 30.0
    coverage: float = 0.95
    warmup: float = 30.0
    at_least: AtLeast = AtLeast()


class Redact(_Struct, frozen=True, kw_only=True):
    json: tuple[str, ...] = ()  # JSONPaths
    query: tuple[str, ...] = ("api_key", "key", "token", "access_token", "sig")
    how: str = "hash"  # hash | remove
    key: str = ""  # empty: the recorder makes one and keeps it in `state`


class Rotate(_Struct, frozen=True, kw_only=True):
    size: int = 256 << 20
    age: float = 3600.0


class Keep(_Struct, frozen=True, kw_only=True):
    bodies: float = 7 * 86400.0
    pairs: float = 400 * 86400.0
    size: int = 20 << 30
    free: int = 1 << 30


class Pairs(_Struct, frozen=True, kw_only=True):
    dir: str
    store_up_to: int = 1 << 20
    bodies: str = "all"  # all | different | none
    headers: tuple[str, ...] = (
        "Content-Type",
        "Content-Encoding",
        "Content-Length",
        "Accept",
        "X-Request-ID",
        "traceparent",
    )
    redact: Redact = Redact()
    flush: float = 1.0
    rotate: Rotate = Rotate()
    keep: Keep = Keep()
    recorders: int = 1


class Admin(_Struct, frozen=True, kw_only=True):
    listen: str | None = "127.0.0.1:9900"  # None: off
    token: str = ""
    link: str | None = None  # without a slash at its end; None: http:// and `listen`


class Notify(_Struct, frozen=True, kw_only=True):
    url: str
    on: tuple[str, ...] = ()
    format: str = "json"


class Ramp(_Struct, frozen=True, kw_only=True):
    """A canary ramp: `share` of the sample keys is answered by a candidate, and production gets the copy.

    Made by an operator's `promote --ramp`, never by a file.
    """

    candidate: str
    share: float
    challenger: Production  # the candidate, in production's role
    incumbent: Candidate  # production, in the candidate's role


class StatsD(_Struct, frozen=True, kw_only=True):
    to: str  # HOST:PORT
    prefix: str = "shadowproxy."
    tags: bool = True


class Graphite(_Struct, frozen=True, kw_only=True):
    to: str  # HOST:PORT
    prefix: str = "shadowproxy."
    tags: bool = False
    buffer: int = 1 << 20


class Follow(_Struct, frozen=True, kw_only=True):
    candidate: str
    sample: str = ""  # a flag's key, "" for none
    pause: str = ""


class Flags(_Struct, frozen=True, kw_only=True):
    file: str | None = None  # either this or `to`
    to: str | None = None  # HOST:PORT
    every: float = 5.0
    follow: tuple[Follow, ...] = ()


class Ship(_Struct, frozen=True, kw_only=True):
    to: str  # HOST:PORT
    what: tuple[str, ...] = ("events",)  # events | pairs
    rate: int = 1000  # lines a second
    buffer: int = 4 << 20


class Logs(_Struct, frozen=True, kw_only=True):
    profile: str = "plain"  # plain | ecs
    ship: Ship | None = None


class Otel(_Struct, frozen=True, kw_only=True):
    to: str  # without a slash at its end
    headers: tuple[tuple[str, str], ...] = ()
    metrics: bool = True
    traces: float = 0.01


class Metrics(_Struct, frozen=True, kw_only=True):
    every: float = 10.0
    statsd: StatsD | None = None
    graphite: Graphite | None = None


class Snapshot(_Struct, frozen=True, kw_only=True):
    generation: int = 1  # grows by one with every configuration that took effect
    listen: str = "127.0.0.1:8080"
    workers: int = 1  # `auto` is already resolved
    state: str = ""
    admin: Admin = Admin()
    tls: DownstreamTls | None = None
    trusted_proxies: tuple[str, ...] = ()
    via: str = "shadowproxy"
    answer_request_id: bool = False
    production: Production
    twin: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    mirror: Mirror = Mirror()
    limits: Limits = Limits()
    routes: tuple[Route, ...] = (Route(),)
    compare: Compare = Compare()
    statistics: Statistics = Statistics()
    gates: tuple[str, ...] | None = None
    pairs: Pairs
    notify: tuple[Notify, ...] = ()
    flags: Flags | None = None
    logs: Logs = Logs()
    otel: Otel | None = None
    metrics: Metrics = Metrics()
    ramp: Ramp | None = None
    log_format: str = "json"  # console | json


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON, secrets included: for sockets between our own processes only."""
    return msgspec.json.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """The inverse of `encode`; raises msgspec.ValidationError for anything else."""
    return msgspec.json.decode(data, type=Snapshot)
