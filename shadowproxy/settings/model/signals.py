"""Whom the proxy tells its figures and lines by itself."""

from __future__ import annotations

from typing import Literal

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.section import Section, optional, required


class StatsD(Section):
    to: f.Target = required("HOST:PORT of the StatsD server, UDP.")
    prefix: f.Text = optional("shadowproxy.", "What every name begins with.")
    tags: f.Switch = optional(True, "Labels as DogStatsD's tags; off: as parts of the name.")


class Graphite(Section):
    to: f.Target = required("HOST:PORT of carbon's plaintext listener, TCP.")
    prefix: f.Text = optional("shadowproxy.", "What every path begins with.")
    tags: f.Switch = optional(False, "Labels as Graphite's tags (1.1 or newer); off: as parts of the path.")
    buffer: f.Size = optional("1MiB", "Kept for a carbon that is away; beyond it the oldest is dropped, and counted.")


class Metrics(Section):
    every: f.Duration = optional("10s", "How often figures are pushed.")
    statsd: StatsD | None = optional(None, "Push to StatsD or DogStatsD.")
    graphite: Graphite | None = optional(None, "Push to Graphite.")


class Ship(Section):
    to: f.Target = required("HOST:PORT of a TCP server that takes one JSON object a line.")
    what: tuple[Literal["events", "pairs"], ...] = optional(
        ("events",), "events: what the proxy logs about itself; pairs: the lines of the pair log."
    )
    rate: f.Count = optional(1000, "Lines a second and process, at most; what is beyond is dropped, and counted.")
    buffer: f.Size = optional("4MiB", "Kept for a server that is away, per process; what is beyond is dropped.")


class Logs(Section):
    profile: Literal["plain", "ecs"] = optional("plain", "Fields of JSON lines: our own, or Elastic Common Schema.")
    ship: Ship | None = optional(None, "Also send lines to a server: Logstash (json_lines), rsyslog (imtcp), Vector.")


class Follow(Section):
    candidate: f.Name = required("The candidate that follows.")
    sample: f.Text = optional("", "Key of a flag whose text is a share: 10%.")
    pause: f.Text = optional("", "Key of a flag that pauses the candidate while it is true.")


class Flags(Section):
    """Needs the extra `flags`."""

    file: f.ExistingFile | None = optional(None, "Flags in flagd's format, read again when they change.")
    to: f.Target | None = optional(None, "HOST:PORT of a flagd server, in place of `file`.")
    every: f.Duration = optional("5s", "How often flags are resolved.")
    follow: tuple[Follow, ...] = optional((), "Who follows which flags.")


class Otel(Section):
    """Needs the extra `otel`."""

    to: f.WebhookUrl = required("Base URL of an OTLP receiver over HTTP; /v1/metrics and /v1/traces are added.")
    headers: dict[f.HeaderName, f.HeaderValue] = optional({}, "Headers that the receiver wants, such as credentials.")
    metrics: f.Switch = optional(True, "Whether metrics are sent, every `metrics.every`.")
    traces: f.Share = optional(
        "1%", "Share of requests with a copy that begin a trace; one that a client began is followed. 0%: none."
    )
