"""Who answers and who is watched, exchanged.

Law: what belongs to the upstream moves with it (url, tls, host, path, headers, json, version); what belongs to the role
stays with the role (sample, timeouts, limits, breaker, credentials, expect, gates). Exchanging twice gives back what
was, but for the addresses beyond the first of a production that had several.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shadowproxy.settings.snapshot import Candidate, Production, Ramp, Snapshot


def as_production(candidate: Candidate, role: Production) -> Production:
    """The candidate's upstream, with what production's role asks for."""
    made: Production = msgspec.structs.replace(role, name=candidate.name, urls=(candidate.url,), **_upstream(candidate))
    return made


def as_candidate(production: Production, role: Candidate) -> Candidate:
    """Production's upstream, in a candidate's role: never judged, for it is what the others are measured by."""
    made: Candidate = msgspec.structs.replace(
        role, name=production.name, url=production.urls[0], gated=False, paused=False, **_upstream(production)
    )
    return made


def _upstream(one: Production | Candidate) -> dict[str, Any]:
    return {
        "version": one.version,
        "host": one.host,
        "tls": one.tls,
        "headers_set": one.headers_set,
        "headers_remove": one.headers_remove,
        "json_set": one.json_set,
        "path_replace": one.path_replace,
        "path_with": one.path_with,
    }


def exchanged(snapshot: Snapshot, name: str) -> Snapshot:
    """The candidate `name` answers, the former production takes its seat, the twin (of the former) is stopped."""
    promoted = next(candidate for candidate in snapshot.candidates if candidate.name == name)
    former = as_candidate(snapshot.production, promoted)
    routes = tuple(
        route
        if route.candidates is None
        else msgspec.structs.replace(
            route, candidates=tuple(former.name if known == name else known for known in route.candidates)
        )
        for route in snapshot.routes
    )
    made: Snapshot = msgspec.structs.replace(
        snapshot,
        production=as_production(promoted, snapshot.production),
        candidates=tuple(former if one is promoted else one for one in snapshot.candidates),
        twin=None,
        routes=routes,
    )
    return made


def ramped(snapshot: Snapshot, name: str, share: float) -> Snapshot:
    """A share of the sample keys is answered by `name`; production stays who it is and gets the copies of those.

    Its copies carry the client's credentials, for production is who the client meant.
    """
    candidate = next(one for one in snapshot.candidates if one.name == name)
    incumbent = msgspec.structs.replace(
        as_candidate(snapshot.production, candidate), credentials="forward", sample=1.0, trial=""
    )
    ramp = Ramp(
        candidate=name,
        share=share,
        challenger=as_production(candidate, snapshot.production),
        incumbent=incumbent,
    )
    made: Snapshot = msgspec.structs.replace(snapshot, ramp=ramp)
    return made
