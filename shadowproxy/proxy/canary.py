"""A canary ramp: some users are answered by a candidate, and production gets the copy.

Law: roles in the log stay who they are. The pair's `production` is the incumbent's exchange and its `shadow` the
candidate's, whoever's answer the client got; the candidate's ledger row counts the request once, as sent when the
incumbent got its copy. What the gates cannot see (no route of the candidate's, no mirrored method, a body too long, a
stateful call) is answered by production. Without a ramp nothing here runs.

A request's side is drawn by the candidate's sample key, so a user stays where they are while the share rises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from shadowproxy.proxy import tee
from shadowproxy.proxy.runtime import Draw, Runtime, keyed
from shadowproxy.settings.snapshot import Candidate, Ramp, Snapshot
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.core.ledger import Ledger
    from shadowproxy.proxy.counters import RouteCounters
    from shadowproxy.proxy.downstream import Downstream
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.proxy.mirror import Mirror
    from shadowproxy.proxy.plan import RequestPlan
    from shadowproxy.proxy.production import Production
    from shadowproxy.proxy.worker import Worker


class Face(Runtime):
    """The runtime of requests that the candidate answers: it stands where production does, production where it does.

    Other candidates get no copies of these requests: they are measured by production's answer to the user.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        ramp: Ramp,
        challenger: Production,
        mirrors: dict[str, Mirror],
        ledger: Ledger,
        counters: dict[str, RouteCounters],
    ) -> None:
        at = next(at for at, one in enumerate(snapshot.candidates) if one.name == ramp.candidate)
        self.role = frames.FIRST_CANDIDATE + at  # the candidate's, in the log
        self.candidate = snapshot.candidates[at]
        self.candidate_mirror = mirrors[ramp.candidate]
        super().__init__(_turned(snapshot, ramp), challenger, mirrors, ledger, counters)

    def _role_of(self, settings: Candidate, at: int) -> int:
        return frames.PRODUCTION if frames.FIRST_CANDIDATE + at == self.role else super()._role_of(settings, at)

    def _counted_as(self, settings: Candidate, at: int) -> Candidate:
        """The incumbent's copy makes the candidate's pair, so it is counted in the candidate's row."""
        return self.candidate if frames.FIRST_CANDIDATE + at == self.role else settings

    def record(self, exchange: Exchange) -> None:
        """The pair, with the incumbent's copy as production's exchange and the client's own as the candidate's."""
        is_warming = exchange.start_ns < self.candidate_mirror.warm_until_ns
        mine: list[bytes | bytearray] = []
        size = tee.pack_own(exchange, mine, self.role, frames.WARMING if is_warming else 0)
        first: list[bytes | bytearray] = []
        rest: list[bytes | bytearray] = []
        fates = []
        count = 1
        for leg in exchange.legs:
            is_incumbent = leg.entry.role == frames.PRODUCTION
            size += leg.pack(first if is_incumbent else rest, exchange.arrival_ns)
            fates.append((leg.entry.row, exchange.outcome if is_incumbent else leg.outcome))
            count += 1
        if exchange.twin_dropped:
            count += 1
            size += tee.pack_dropped_twin(exchange, rest)
        exchange.release_cost()
        tee.offer_frame(exchange, [*first, *mine, *rest], size, count, fates, self.role)


def _turned(snapshot: Snapshot, ramp: Ramp) -> Snapshot:
    incumbent, name = ramp.incumbent, ramp.candidate
    others = [msgspec.structs.replace(one, sample=0.0) for one in snapshot.candidates]
    routes = [
        msgspec.structs.replace(
            route,
            candidates=route.candidates
            and tuple(incumbent.name if known == name else known for known in route.candidates),
        )
        for route in snapshot.routes
    ]
    turned: Snapshot = msgspec.structs.replace(
        snapshot,
        production=ramp.challenger,
        candidates=tuple(incumbent if one.name == name else one for one in others),
        routes=tuple(routes),
        ramp=None,
    )
    return turned


class Canary:
    """Decides who answers; stands in the place of the exchange's class while a ramp runs."""

    def __init__(self, runtime: Runtime, face: Face, ramp: Ramp) -> None:
        self.face = face
        self.is_on = True  # the kill switch turns it off
        self._share = ramp.share
        self._draw = Draw(keyed(face.candidate.sample_key))
        self._usual = runtime.exchange
        names = [route.candidates for route in runtime.snapshot.routes]
        self._routes = frozenset(at for at, known in enumerate(names) if known is None or ramp.candidate in known)

    def __call__(
        self, worker: Worker, runtime: Runtime, downstream: Downstream, plan: RequestPlan, arrival_ns: int
    ) -> Exchange:
        exchange = self._usual(worker, runtime, downstream, plan, arrival_ns)
        if not (self.is_on and self._is_watched(plan) and self._draw.of(exchange) < self._share):
            return exchange
        face, raw = self.face, plan.head.raw
        other = face.exchange(worker, face, downstream, face.heads.recall(raw) or face.heads.read(raw), arrival_ns)
        other.request_id = exchange.request_id
        return other

    def _is_watched(self, plan: RequestPlan) -> bool:
        """Whether a pair will come of it, for the gates to judge."""
        wanted = plan.keep >= 0 and not plan.drop_reason and plan.leaves_behind is None
        return wanted and plan.route.number in self._routes
