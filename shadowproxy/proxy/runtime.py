"""The runtime: a snapshot compiled for the data plane. A request keeps the runtime that it began with.

What outlives a configuration (production's connections, mirrors with their breakers, the ledger) is the worker's, and
is looked up here by its identity.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shadowproxy.core import jsontext
from shadowproxy.core import outcome as o
from shadowproxy.core.ledger import TWIN, Ledger, Row
from shadowproxy.core.routes import Router
from shadowproxy.core.sampling import cookie, point, text_key
from shadowproxy.core.stateful import RULES
from shadowproxy.http1 import serialise
from shadowproxy.proxy import tee
from shadowproxy.proxy.copies import CopyPlan, json_keys
from shadowproxy.proxy.counters import RouteCounters
from shadowproxy.proxy.exchange import Exchange
from shadowproxy.proxy.heads import RequestHeads
from shadowproxy.proxy.leg import ANSWER_RESERVE
from shadowproxy.proxy.plan import RequestPlan
from shadowproxy.proxy.rewrite import LONGEST_BODY, RewritingExchange, rewrite_of
from shadowproxy.proxy.tether import Tether
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.proxy.downstream import Downstream
    from shadowproxy.proxy.mirror import Mirror
    from shadowproxy.proxy.production import Production
    from shadowproxy.proxy.worker import Worker
    from shadowproxy.settings.snapshot import Candidate, Snapshot

    MakeExchange = Callable[[Worker, "Runtime", Downstream, RequestPlan, int], Exchange]

NS: Final = 1e9
NO_PROTOCOL: Final = "none"  # what a route's `protocol` says where no protocol's rules are to be applied


class Entry:
    """One candidate on one route: whether it takes part, and the ledger row that counts it."""

    __slots__ = ("is_always_due", "is_due", "member", "mirror", "paused", "plan", "role", "row", "settings")

    def __init__(
        self,
        settings: Candidate,
        mirror: Mirror,
        plan: CopyPlan,
        role: int,
        row: Row,
        member: bool,
        is_due: Callable[[Exchange], bool],
    ) -> None:
        self.settings = settings
        self.plan = plan
        self.mirror = mirror
        self.role = role
        self.row = row
        self.member = member
        self.is_due = is_due
        self.hush(False)

    def hush(self, hushed: bool) -> None:
        """No copies whatever the settings say; or again what they say."""
        self.paused = hushed or self.settings.paused
        self.is_always_due = self.member and self.settings.sample >= 1.0 and not self.paused


class RoutePlan:
    """One route; number frames.NO_ROUTE stands for "none matched"."""

    __slots__ = ("candidates", "counters", "is_guarded", "keep_up_to", "name", "number", "twin")

    def __init__(
        self,
        number: int,
        name: str,
        candidates: list[Entry],
        twin: Entry | None,
        counters: RouteCounters,
        is_guarded: bool,
    ) -> None:
        self.counters = counters
        self.is_guarded = is_guarded  # calls that known protocols call stateful are not mirrored
        self.number = number
        self.name = name
        self.candidates = candidates
        self.twin = twin
        members = [entry.settings for entry in candidates if entry.member]
        self.keep_up_to = max((settings.mirror_up_to for settings in members), default=-1)  # of a request's body

    def rows(self) -> list[Row]:
        rows = [entry.row for entry in self.candidates]
        return rows if self.twin is None else [*rows, self.twin.row]


class Runtime:
    def __init__(
        self,
        snapshot: Snapshot,
        production: Production,
        mirrors: dict[str, Mirror],
        ledger: Ledger,
        counters: dict[str, RouteCounters],
    ) -> None:
        self.snapshot = snapshot
        self.generation = snapshot.generation
        self.production = production
        self.mirrors = mirrors
        limits = snapshot.limits
        self.limits = limits
        self.head_timeout_ns = round(limits.head_timeout * NS)
        self.body_idle_ns = round(limits.body_idle * NS)
        self.keep_alive_ns = round(limits.keep_alive * NS)
        self.client_stall_ns = round(limits.client_stall * NS)
        self.connection_age_ns = round(limits.connection_age * NS)
        self.tunnel_idle_ns = round(limits.tunnel_idle * NS)
        timeouts = snapshot.production.timeouts
        self.first_byte_ns = round(timeouts.first_byte * NS)
        self.idle_ns = round(timeouts.idle * NS)
        self.body_limit = limits.body or (1 << 62)
        compared = (route.compare.up_to for route in snapshot.routes)
        self.keep_up_to = max(snapshot.pairs.store_up_to, *compared)  # of an answer's body
        for mirror in mirrors.values():
            mirror.warmup_ns = round(snapshot.statistics.warmup * NS)
            mirror.small = min(ANSWER_RESERVE, self.keep_up_to, mirror.settings.answer_up_to)
        self.answers_id = snapshot.answer_request_id
        self.via = snapshot.via.encode()
        self.via_11 = b"Via: 1.1 " + self.via + b"\r\n"
        self.via_10 = b"Via: 1.0 " + self.via + b"\r\n"
        self.authority = production.endpoints[0].pool.address.authority
        self.production_host = {"preserve": b"", "upstream": self.authority}.get(
            snapshot.production.host, snapshot.production.host.encode()
        )
        self.rewrite = rewrite_of(snapshot.production)
        self.rewrites_body = self.rewrite is not None and self.rewrite.rewrites_body
        if self.rewrites_body:
            self.body_limit = min(self.body_limit, LONGEST_BODY)
        self.exchange: MakeExchange = RewritingExchange if self.rewrites_body else Exchange
        self.mirrored_methods = frozenset(method.encode() for method in snapshot.mirror.methods)
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in snapshot.trusted_proxies]
        self.router = Router([route.match for route in snapshot.routes])
        known = list(snapshot.candidates) + ([snapshot.twin] if snapshot.twin else [])
        self.copies = {
            settings.name: CopyPlan(settings, mirrors[settings.name].address.authority) for settings in known
        }
        draws: dict[str, Draw] = {}
        self._samplers = {settings.name: _sampler(settings, mirrors[settings.name], draws) for settings in known}
        self.routes = [
            self._plan(ledger, counters, number, route.name, route.candidates, route.protocol != NO_PROTOCOL)
            for number, route in enumerate(snapshot.routes)
        ]
        self.longest_body = max((route.keep_up_to for route in self.routes), default=-1)
        self.no_route = self._plan(ledger, counters, frames.NO_ROUTE, None, ())
        self.heads = RequestHeads(limits.headers, self._planner())
        self.tether = Tether([*self.routes, self.no_route], mirrors.values())

    def _planner(self) -> Callable[[RequestHead], RequestPlan]:
        """A function that does not hold the runtime: it must go when the last of its requests has gone."""
        router, routes, no_route = self.router, self.routes, self.no_route
        host, methods, longest = self.production_host, self.mirrored_methods, self.longest_body
        own = host or self.authority  # for a client of HTTP/1.0 that named no host
        rewrite = self.rewrite

        def plan_of(head: RequestHead) -> RequestPlan:
            number = router.find(head.method, head.target, head.field)
            route = no_route if number is None else routes[number]
            request = serialise.request_head(head, host if head.host else own)
            plan = RequestPlan(head, route, request if rewrite is None else rewrite.head(request, head))
            if head.websocket:
                plan.refused = o.EXCLUDED_UPGRADE
            elif head.method not in methods:
                plan.refused = o.EXCLUDED_METHOD
            elif number is not None and route.candidates:
                plan.mirror(longest if router.needs_body else route.keep_up_to)
                plan.leaves_behind = RULES[head.target]
            return plan

        return plan_of

    def _plan(
        self,
        ledger: Ledger,
        counters: dict[str, RouteCounters],
        number: int,
        name: str | None,
        wanted: tuple[str, ...] | None,
        is_guarded: bool = True,
    ) -> RoutePlan:
        candidates = [
            Entry(
                settings,
                self.mirrors[settings.name],
                self.copies[settings.name],
                self._role_of(settings, at),
                ledger.row((counted := self._counted_as(settings, at)).trial, counted.name, name),
                wanted is None or settings.name in wanted,
                self._samplers[settings.name],
            )
            for at, settings in enumerate(self.snapshot.candidates)
        ]
        twin = self.snapshot.twin
        entry = None
        if twin is not None:
            row = ledger.row(twin.trial, TWIN, name)
            member = any(candidate.member for candidate in candidates)
            mirror, plan = self.mirrors[twin.name], self.copies[twin.name]
            entry = Entry(twin, mirror, plan, frames.TWIN, row, member, self._samplers[twin.name])
        seen = counters.setdefault(name or "", RouteCounters())
        return RoutePlan(number, name or "", candidates, entry, seen, is_guarded)

    def _role_of(self, settings: Candidate, at: int) -> int:
        """In the log: where the candidate stands in the snapshot."""
        return frames.FIRST_CANDIDATE + at

    def _counted_as(self, settings: Candidate, at: int) -> Candidate:
        """Whose ledger row counts what is sent to this one."""
        return settings

    def record(self, exchange: Exchange) -> None:
        """Hand the pair of one of its requests to the recorder."""
        tee.record(exchange)

    def trusts(self, peer: str) -> bool:
        """Whether X-Forwarded-* of this peer is appended to rather than replaced."""
        if not self._trusted:
            return False
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._trusted if network.version == address.version)


class Draw:
    """Where a request's key lies in [0, 1), for all candidates that are sampled by the same one: drawn once a request.

    A request without the key is drawn by its id.
    """

    __slots__ = ("_arrival_ns", "_id", "_key_of", "is_keyless", "point")

    def __init__(self, key_of: Callable[[Exchange], bytes | None]) -> None:
        self._key_of = key_of
        self._id = b""
        self._arrival_ns = 0
        self.point = 0.0
        self.is_keyless = False

    def of(self, exchange: Exchange) -> float:
        request_id = exchange.request_id
        if request_id is not self._id or exchange.arrival_ns != self._arrival_ns:
            self._id, self._arrival_ns = request_id, exchange.arrival_ns
            key = self._key_of(exchange)
            self.is_keyless = not key
            self.point = point(key or request_id)
        return self.point


def _sampler(settings: Candidate, mirror: Mirror, draws: dict[str, Draw]) -> Callable[[Exchange], bool]:
    share = settings.sample
    if share >= 1.0:
        return lambda _exchange: True
    if share <= 0.0:
        return lambda _exchange: False
    draw = draws.get(settings.sample_key)
    if draw is None:
        draw = draws[settings.sample_key] = Draw(keyed(settings.sample_key))

    def is_due(exchange: Exchange) -> bool:
        is_below = draw.of(exchange) < share
        if draw.is_keyless:
            mirror.keyless[0] += 1
        return is_below

    return is_due


def keyed(sample_key: str) -> Callable[[Exchange], bytes | None]:
    kind, _, name = sample_key.partition(":")
    if kind == "header":
        field = name.lower().encode()
        return lambda exchange: exchange.head.field(field)
    if kind == "cookie":
        wanted = name.encode()
        return lambda exchange: cookie(exchange.head.field(b"cookie") or b"", wanted)
    if kind == "json":
        keys = json_keys(name)
        return lambda exchange: text_key(jsontext.value(exchange.body or b"", keys))
    return lambda exchange: exchange.request_id
