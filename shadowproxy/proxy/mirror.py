"""Mirrors: one candidate (or the twin) as the data plane sees it, and whether a copy may leave for it now.

Law: `refusal` is synchronous, bounded and never raises. A mirror shares no connection, limit or timer with production
or another mirror.
"""

from __future__ import annotations

import ssl
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from shadowproxy.core import outcome as o
from shadowproxy.core.breaker import CLOSED, Breaker
from shadowproxy.core.rate import ConnectRate
from shadowproxy.proxy.leg import MirrorConnection
from shadowproxy.proxy.pool import Address, Pool
from shadowproxy.proxy.reads import READ, ReadBudget
from shadowproxy.proxy.timers import SECOND_NS

if TYPE_CHECKING:
    from shadowproxy.proxy.leg import Leg
    from shadowproxy.proxy.timers import Timers
    from shadowproxy.settings.snapshot import Candidate

CONNECT_S: Final = 1.0
KEEP_ALIVE_S: Final = 4.0
MAX_AGE_S: Final = 300.0
LEAST_TIMEOUT_NS: Final = 5 * SECOND_NS
LONGEST_TIMEOUT_NS: Final = 600 * SECOND_NS
FACTOR: Final = 3  # times production's own time

_FAILURES: Final = frozenset({o.CONNECT_ERROR, o.TIMEOUT, o.RESET})


class Mirror:
    """One candidate, or the twin: its pool, breaker and limits live as long as its upstream's identity does."""

    def __init__(
        self,
        settings: Candidate,
        *,
        workers: int,
        timers: Timers,
        reads: ReadBudget,
        rate: ConnectRate,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.timers = timers
        self._rate = rate
        self.in_flight = 0
        self.warmup_ns = 0  # statistics.warmup
        self.warm_until_ns = 0  # 0: the trial's first copy has not left yet
        self._trial = ""
        self.finished: dict[int, int] = {}
        self.keyless = [0]  # requests that were sampled by their id, for they had no `sample_key`
        self.address = Address.of(settings.url)
        self.pool = Pool(
            self.address,
            lambda pool: MirrorConnection(pool, reads),
            limit=1 << 30,  # max_in_flight bounds it
            connect_s=CONNECT_S,
            keep_alive_s=KEEP_ALIVE_S,
            max_age_s=MAX_AGE_S,
            tls=tls,
            server_name=settings.tls.server_name,
            receive_buffer=2 * READ,
        )
        self.breaker = Breaker(settings.breaker.failures, settings.breaker.window, settings.breaker.probe)
        self.update(settings, workers)

    def update(self, settings: Candidate, workers: int) -> None:
        """Take over settings that leave the upstream's identity as it is."""
        self.settings = settings
        if settings.trial != self._trial:
            self._trial = settings.trial
            self.warm_until_ns = 0
        self.longest_body = settings.mirror_up_to
        self.small = 0  # bytes of an answer that no limit concerns; set by the runtime, which knows what is kept
        self.waits = settings.send == "after_production"
        self.max_in_flight = max(1, -(-settings.max_in_flight // workers))
        timeout = settings.timeout
        self._timeout_ns = 0 if timeout is None else round(timeout * SECOND_NS)
        self.first_look_ns = self._timeout_ns or LEAST_TIMEOUT_NS

    def refusal(self, body_bytes: int) -> int:
        """Why no copy may leave now, as an index into core.outcome.DROPPED; 0 reserves a place and must be used."""
        if body_bytes > self.longest_body:
            return o.BODY_TOO_LARGE
        if self.in_flight >= self.max_in_flight:
            return o.IN_FLIGHT
        breaker = self.breaker
        if breaker.state != CLOSED and not breaker.allows(self.timers.now / SECOND_NS):
            return o.BREAKER_OPEN
        if not self.pool.idle and not self._rate.take(self.settings.name, self.address.tls, perf_counter_ns()):
            breaker.unused()
            return o.CONNECT_RATE
        self.in_flight += 1
        if not self.warm_until_ns:
            self.warm_until_ns = self.timers.now + self.warmup_ns
        return 0

    def unused(self) -> None:
        """The place that `refusal` reserved is not used after all."""
        self.in_flight -= 1
        self.breaker.unused()

    def time_left(self, leg: Leg, now: int) -> int:
        """ns until the leg has run too long; positive while that cannot be said yet."""
        ran = now - leg.start_ns
        if self._timeout_ns:
            return self._timeout_ns - ran
        if ran >= LONGEST_TIMEOUT_NS:
            return 0
        production_ns = leg.exchange.total_ns
        if production_ns < 0:
            return SECOND_NS
        return min(max(LEAST_TIMEOUT_NS, FACTOR * production_ns), LONGEST_TIMEOUT_NS) - ran

    def judge(self, outcome: int) -> None:
        """What a copy's end says to the breaker; nothing where it is closed and the copy was answered."""
        if outcome in _FAILURES:
            self.breaker.failed(self.timers.now / SECOND_NS)
        elif self.breaker.state != CLOSED:
            self.breaker.succeeded(self.timers.now / SECOND_NS)
            if self.breaker.state == CLOSED:
                self.warm_until_ns = self.timers.now + self.warmup_ns
