"""A file and wishes over it, as these tests need them."""

from __future__ import annotations

from typing import Any

import msgspec

from shadowproxy.core.trial import trial_id
from shadowproxy.settings.snapshot import Breaker, Candidate, Pairs, Production, Route, Snapshot, UpstreamTls
from shadowproxy.settings.steering.apply import apply
from shadowproxy.settings.steering.changes import Changes
from shadowproxy.settings.steering.verbs import Wish, grant

V2 = Candidate(
    name="v2",
    url="http://127.0.0.1:2",
    version="2",
    host="v2.internal",
    tls=UpstreamTls(server_name="v2"),
    headers_set=(("X-Key", "v2"),),
    json_set=(("$.model", "m2"),),
    path_replace="/a",
    path_with="/b",
    sample=0.5,
    timeout=3.0,
    max_in_flight=7,
    mirror_up_to=1000,
    breaker=Breaker(failures=3),
    credentials="forward",
    expect="same",
    gates=("error_rate_increase<=0.5pp",),
)
V3 = Candidate(name="v3", url="http://127.0.0.1:3")
FILE = Snapshot(
    production=Production(name="v1", urls=("http://127.0.0.1:1",), version="1", connections=9),
    candidates=(V2, V3),
    twin=Candidate(name="twin", url="http://127.0.0.1:4", expect="same", gated=False),
    routes=(Route(name="predict", candidates=("v2",)), Route(name="rest")),
    pairs=Pairs(dir="pairs"),
)


def file(**changes: Any) -> Snapshot:
    """FILE with other values, and with its trials, as the settings build them."""
    made: Snapshot = msgspec.structs.replace(FILE, **changes)
    production = made.production
    tried = [
        msgspec.structs.replace(one, trial=trial_id(production.name, production.urls, production.version, one))
        for one in made.candidates
    ]
    complete: Snapshot = msgspec.structs.replace(made, candidates=tuple(tried))
    return complete


def wish(verb: str, changes: Changes | None = None, base: Snapshot | None = None, **body: Any) -> Changes:
    given = Wish(
        file=base or file(),
        changes=changes or Changes(),
        body=body,
        by="ana",
        at="2026-01-02T03:04:05Z",
        now_ms=1_000,
    )
    return grant(verb, given)


def named(snapshot: Snapshot, name: str) -> Candidate:
    return next(one for one in snapshot.candidates if one.name == name)


def under(changes: Changes, base: Snapshot | None = None) -> Snapshot:
    return apply(base or file(), changes)
