"""A configuration as the recorder uses it, compiled once a generation.

What decides about a pair (routes, rules, candidates) comes from the generation that the pair names. What may be stored
comes from the configuration in force now, and redaction from both: a path that was just added already hides what
is still on its way, and one that was just removed still hides what was sent before.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from shadowproxy.compare import Rules, compile_rules
from shadowproxy.compare.binary import HEADER as BINARY_HEADER
from shadowproxy.compare.own import OwnScore
from shadowproxy.recorder.extract import ID, Extractor, compile_extractor
from shadowproxy.recorder.heads import AnswerHeads, RequestHeads
from shadowproxy.recorder.redact import CREDENTIALS, Redactor
from shadowproxy.recorder.repeats import Repeats
from shadowproxy.settings.snapshot import Pairs, Redact, Route, Snapshot

# What stands in the middle of a line where there are no slices, by (candidate's role, protocol, role of who answered,
# warmup): no more than a route's candidates and the protocols that are known make of it.
Middles = dict[tuple[int, str, int, bool], bytes]


class RoutePlan(NamedTuple):
    name: str
    rules: Rules
    heads: AnswerHeads
    repeats: Repeats
    middles: Middles
    key: Extractor
    is_plain: bool  # the key is the request's id, and there are no slices
    slices: tuple[tuple[str, Extractor], ...]
    of_request: bool  # something is looked up in the request's JSON
    of_answer: bool


class Plan(NamedTuple):
    snapshot: Snapshot
    in_force: Pairs  # what may be stored
    routes: tuple[RoutePlan, ...]
    upstreams: tuple[tuple[str, str], ...]  # (name, version) by role
    redactor: Redactor
    headers: frozenset[str]  # fields that are stored, lower case
    requests: RequestHeads
    bodies: str  # all | different | none
    store_up_to: int
    decode_up_to: int


def compile_plan(snapshot: Snapshot, pairs: Pairs, key: bytes, scores: tuple[OwnScore, ...] = ()) -> Plan:
    """ValueError with one sentence where something cannot be used."""
    redactor = Redactor(_both(snapshot.pairs.redact, pairs.redact), key)
    stored = frozenset(name.lower() for name in pairs.headers) - CREDENTIALS
    return Plan(
        snapshot=snapshot,
        in_force=pairs,
        routes=tuple(_route(route, redactor, stored, scores) for route in snapshot.routes),
        upstreams=_upstreams(snapshot),
        redactor=redactor,
        headers=stored,
        requests=RequestHeads(stored, redactor.target),
        bodies=pairs.bodies,
        store_up_to=pairs.store_up_to,
        decode_up_to=max(pairs.store_up_to, *(route.compare.up_to for route in snapshot.routes)) + 1,
    )


def _upstreams(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    twin = ("twin", snapshot.twin.version if snapshot.twin else "")
    candidates = ((candidate.name, candidate.version) for candidate in snapshot.candidates)
    return ((snapshot.production.name, snapshot.production.version), twin, *candidates)


def _both(of_pair: Redact, now: Redact) -> Redact:
    if of_pair == now:
        return now
    return msgspec.structs.replace(
        now,
        json=tuple(dict.fromkeys((*now.json, *of_pair.json))),
        query=tuple(dict.fromkeys((*now.query, *of_pair.query))),
    )


def _route(route: Route, redactor: Redactor, stored: frozenset[str], scores: tuple[OwnScore, ...]) -> RoutePlan:
    rules = compile_rules(route, scores)
    key = compile_extractor(route.key, redactor)
    slices = tuple((name, compile_extractor(where, redactor)) for name, where in route.slices)
    extractors = (key, *(extractor for _, extractor in slices))
    return RoutePlan(
        name=route.name,
        rules=rules,
        heads=AnswerHeads(frozenset({"content-type", BINARY_HEADER, *rules.headers}), stored),
        repeats=Repeats(rules),
        middles={},
        key=key,
        is_plain=route.key == ID and not slices,
        slices=slices,
        of_request=any(extractor.of_request for extractor in extractors),
        of_answer=any(extractor.of_answer for extractor in extractors),
    )
