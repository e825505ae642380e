"""Production, the twin and the candidates."""

from __future__ import annotations

from typing import Literal

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.section import Section, optional, required


class UpstreamTls(Section):
    ca: f.ExistingFile | None = optional(None, "CA file that signed the server's certificate, PEM.")
    certificate: f.ExistingFile | None = optional(None, "Client certificate chain, PEM.")
    key: f.ExistingFile | None = optional(None, "Private key of the client certificate, PEM.")
    server_name: f.Text | None = optional(None, "Name asked for and verified; default: the URL's host.")
    verify: f.Switch = optional(True, "Whether the server's certificate is checked.")


class Timeouts(Section):
    connect: f.Duration = optional("1s", "For a connection to be made; also how long a request queues for one.")
    first_byte: f.Duration = optional("60s", "From the request's last byte to the answer's first (504).")
    idle: f.Duration = optional("60s", "Longest pause within an answer.")


class Headers(Section):
    set_: dict[f.RewritableHeader, f.HeaderValue] = optional({}, "Headers that requests to it get.", alias="set")
    remove: tuple[f.RewritableHeader, ...] = optional((), "Headers that requests to it do not carry.")


class JsonRewrite(Section):
    set_: dict[f.DefiniteJsonPath, f.JsonValue] = optional(
        {}, "JSONPath → value, written into the requests' bodies.", alias="set"
    )


class PathRewrite(Section):
    replace: f.LiteralPath | None = optional(None, "Part of the path that is replaced, where it occurs first.")
    with_: f.LiteralPath | None = optional(None, "What stands in its place.", alias="with")


class Production(Section):
    """What is changed in requests is nothing unless it is configured; a promoted candidate brings its changes along."""

    name: f.Name = optional("production", "Name in reports, metrics and logs.")
    url: f.OriginUrl | None = optional(None, "Scheme, host and port of the production model.")
    urls: tuple[f.OriginUrl, ...] | None = optional(
        None, "Several in place of `url`, used in turn; one that fails is left out for a while.", min_length=1
    )
    version: f.Text = optional("", "Git sha, image digest or model version; another one starts new trials.")
    host: f.HostHeader = optional(
        "preserve",
        "Host header sent upstream: the client's (preserve), the URL's (upstream), or a literal.",
    )
    tls: UpstreamTls = optional(UpstreamTls(), "For https URLs.")
    timeouts: Timeouts = optional(Timeouts(), "When production is given up.")
    connections: f.Count = optional(512, "Open connections, for the whole proxy, divided by workers.")
    keep_alive: f.Duration = optional(
        "4s", "An idle upstream connection is closed at this age; keep it below the server's own."
    )
    max_age: f.Duration = optional("5m", "A connection older than this is not used again.")
    headers: Headers = optional(Headers(), "Changes to the headers of requests.")
    json_: JsonRewrite = optional(
        JsonRewrite(), "Changes to JSON bodies; a request then leaves once its body is whole.", alias="json"
    )
    path: PathRewrite = optional(PathRewrite(), "Change of the requests' path; both keys or none.")


class Breaker(Section):
    failures: f.Count = optional(20, "So many failures within `window` stop the copies.")
    window: f.Duration = optional("10s", "The span in which failures are counted.")
    probe: f.Duration = optional("5s", "After so long a single copy tries whether it works again.")


class Stop(Section):
    after: f.DurationOrNever = optional("7d", "The mirror pauses itself after this time; or never.")
    on: tuple[Literal["PASS", "FAIL"], ...] = optional((), "Verdicts at which it pauses itself.")


class Shadow(Section):
    """What the twin and every candidate share."""

    version: f.Text = optional("", "Git sha, image digest or model version; another one starts a new trial.")
    tls: UpstreamTls | None = optional(None, "For https URLs; the keys of production.tls.")
    sample: f.Share = optional("100%", "Share of requests that is copied; a 5% sample lies inside a 10% one.")
    sample_key: f.SampleKey = optional(
        "id", "What the sample is drawn by: id, header:NAME, cookie:NAME or json:$.path."
    )
    timeout: f.AutoDuration = optional(
        "auto", "When a copy is given up, at most 10m; auto: once it has taken max(5s, 3 × production's time)."
    )
    max_in_flight: f.Count = optional(100, "Copies under way at once, for the whole proxy.")
    mirror_up_to: f.Size = optional("1MiB", "Requests with a longer body are not copied, and counted.")
    answer_up_to: f.Size = optional("16MiB", "A longer answer is cut off there: outcome truncated.")
    send: Literal["with_production", "after_production"] = optional(
        "with_production", "Whether a copy leaves beside production's request or after its answer."
    )
    host: f.HostHeader = optional(
        "upstream", "Host header of copies: the client's (preserve), the URL's (upstream), or a literal."
    )
    headers: Headers = optional(Headers(), "Changes to the copies' headers.")
    credentials: Literal["strip", "forward"] = optional(
        "strip", "Authorization, Proxy-Authorization, Cookie and X-Api-Key of clients: in copies or not."
    )
    json_: JsonRewrite = optional(JsonRewrite(), "Changes to the copies' JSON bodies.", alias="json")
    path: PathRewrite = optional(PathRewrite(), "Change of the copies' path; both keys or none.")
    breaker: Breaker = optional(Breaker(), "Counts connect_error, timeout and reset.")
    stop: Stop = optional(Stop(), "When the mirror ends by itself.")


class _TwinUrl(Section):
    url: f.TwinUrl = required("Scheme, host and port; or production: each request is sent there twice.")


class TwinStop(Stop):
    after: f.DurationOrNever = optional("never", "The twin pauses itself after this time; or never.")
    on: tuple[Literal["PASS", "FAIL"], ...] = optional((), "As a candidate's, and empty: a twin has no verdict.")


class Twin(Shadow, _TwinUrl):
    """A second copy of production: what differs between the two is noise."""

    stop: TwinStop = optional(TwinStop(), "When the mirror ends by itself.")


class _Named(Section):
    name: f.Name = required("Name in reports, metrics, logs and on the command line.")
    url: f.OriginUrl = required("Scheme, host and port of the model under test.")


class Candidate(Shadow, _Named):
    """A model under test. (Its name and URL come from a base of their own, so that they are printed first.)"""

    expect: Literal["same", "similar", "different"] = optional(
        "similar", "same (runtime, quantisation), similar (retrained), different (new kind): default gates."
    )
    gated: f.Switch = optional(True, "false: reported, never judged.")
    gates: tuple[f.GateText, ...] = optional((), "Gates of its own, laid over the global ones.")
