"""The pair log."""

from __future__ import annotations

from typing import Literal

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.section import Section, optional


class Redact(Section):
    json_: tuple[f.JsonPath, ...] = optional((), "JSONPaths whose values never reach the disk.", alias="json")
    query: tuple[f.Text, ...] = optional(
        ("api_key", "key", "token", "access_token", "sig"), "Query parameters likewise."
    )
    how: Literal["hash", "remove"] = optional("hash", "hash: a keyed hash, so that equal stays equal.")
    key: f.Secret = optional(
        "", "Key of the hash; not given: $SHADOWPROXY_REDACT_KEY; empty: one is made and kept in `state`."
    )


class Rotate(Section):
    size: f.Size = optional("256MiB", "A segment is closed at this size.")
    age: f.Duration = optional("1h", "Or at this age.")


class Keep(Section):
    bodies: f.Duration = optional("7d", "How long bodies are kept.")
    pairs: f.Duration = optional("400d", "How long pairs without their bodies are kept.")
    size: f.Size = optional("20GiB", "The log's size at which the oldest segments are deleted.")
    free: f.SizeOrZero = optional("1GiB", "Free space below which nothing more is written, and counted.")


class Pairs(Section):
    dir: f.Path = optional("./shadow-pairs", "The log's directory.")
    store_up_to: f.SizeOrZero = optional("1MiB", "Stored of each body; the rest is cut off.")
    bodies: Literal["all", "different", "none"] = optional("all", "Whose bodies are stored; comparison happens before.")
    headers: tuple[f.HeaderName, ...] = optional(
        ("Content-Type", "Content-Encoding", "Content-Length", "Accept", "X-Request-ID", "traceparent"),
        "Headers that are stored; others are not.",
    )
    redact: Redact = optional(Redact(), "What never reaches the disk.")
    flush: f.Duration = optional("1s", "At most so much of the log is lost when everything is killed.")
    rotate: Rotate = optional(Rotate(), "When a segment is closed and the next begun.")
    keep: Keep = optional(Keep(), "When old segments are deleted.")
    recorders: f.One = optional(1, "Recorder processes; one.")
