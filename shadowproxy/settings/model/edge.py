"""The proxy's own side: where it listens, its limits, who may administrate it, whom it tells."""

from __future__ import annotations

from typing import Literal

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.section import Section, optional, required

NOTICES = ("verdict", "breaker", "coverage", "promoted", "rolled_back", "stopped")


class Admin(Section):
    listen: f.AddressOrOff = optional("127.0.0.1:9900", "Where API, dashboard and metrics are served; or off.")
    token: f.Secret = optional(
        "", "Bearer token of clients, required off loopback; not given: $SHADOWPROXY_ADMIN_TOKEN."
    )
    link: f.WebhookUrl | None = optional(
        None, "How others reach the admin port: links in notices begin with it, and its name is taken as a `Host`."
    )


class DownstreamTls(Section):
    certificate: f.ExistingFile = required("Certificate chain shown to clients, PEM.")
    key: f.ExistingFile = required("Private key of the certificate, PEM.")
    client_ca: f.ExistingFile | None = optional(
        None, "CA file, PEM: clients must then present a certificate that it signed."
    )


class Limits(Section):
    head: f.Size = optional("16KiB", "Longest request line and headers together (431).")
    headers: f.Count = optional(100, "Most header fields in a message (431).")
    body: f.SizeOrZero = optional("100MiB", "Longest request body (413); 0 = unlimited.")
    head_timeout: f.Duration = optional("5s", "Time for a whole request head, and for a TLS handshake (408).")
    body_idle: f.Duration = optional("15s", "Longest pause within a request body (408).")
    keep_alive: f.Duration = optional("75s", "Longest idle time of a client connection between requests.")
    client_stall: f.Duration = optional("60s", "Longest time in which a client takes nothing of its answer.")
    connections: f.Count = optional(10000, "Open client connections, for the whole proxy (503 beyond).")
    connection_age: f.Duration = optional("1h", "Age at which a client connection is asked to close.")
    tunnel_idle: f.Duration = optional("1h", "Longest silence of a WebSocket tunnel.")
    drain_delay: f.Wait = optional("5s", "After SIGTERM: not ready, but still accepting, for so long.")
    drain: f.Wait = optional("20s", "Then at most so long for what is in flight.")


class Mirror(Section):
    methods: tuple[f.Method, ...] = optional(("POST",), "Methods whose requests are mirrored.")
    max_buffered: f.Size = optional("64MiB", "Bytes held for mirroring and recording, per worker.")
    shed: f.Switch = optional(True, "Whether a worker that lacks CPU gives copies up (`overload`).")


class Notify(Section):
    url: f.WebhookUrl = required("Where the notice is sent by POST.")
    on: tuple[Literal["verdict", "breaker", "coverage", "promoted", "rolled_back", "stopped"], ...] = optional(
        NOTICES, "Which events are told."
    )
    format: Literal["json", "slack"] = optional("json", "Form of the notice.")
