"""A seat: what is to be filled for as long as the proxy runs (worker 0, worker 1, recorder, admin).

It holds the listening socket that each successor gets, decides when the next life may begin, and keeps what dead lives
counted. The first death is made good at once; lives that end young again and again are spaced out.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from shadowproxy.wire.messages import Stats, merge_stats

from .life import Life
from .totals import Row, Totals


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until the supervisor acts. Workers are judged by `worker_silence`, the others by `other_silence`: a
    recorder may wait for a disk, and nobody's answer waits for it."""

    start: float = 20.0  # from exec to Ready
    worker_silence: float = 5.0
    other_silence: float = 30.0
    first_backoff: float = 0.25
    longest_backoff: float = 5.0  # a worker slot's queue waits for as long
    settled: float = 10.0  # a life that was ready for so long is no longer a failed start
    farewell: float = 25.0  # over a drain's own grace: acknowledgements of the recorder, then exit
    recorder_drain: float = 20.0
    admin_drain: float = 5.0
    prepare: float = 20.0  # for all Prepared


ATTEMPTS: Final = 3  # lives that end before they were ever ready, then a start has failed


class Seat:
    def __init__(self, role: str, slot: int, listen: socket.socket, patience: Patience) -> None:
        self.role = role
        self.slot = slot
        self.listen = listen
        self.life: Life | None = None
        self.leaving: list[Life] = []  # cut off from us and draining by themselves, until `due_to_die`
        self.wants_renewal = False  # a successor is to begin beside the present life, and then to take its place
        self.successor: Life | None = None
        self.retiring: list[Life] = []  # succeeded, and draining; what they count is counted until they end
        self.renewal_failed = ""
        self.wanted = True
        self.lives = 0
        self.was_ready = False
        self.was_healthy = True
        self.young_deaths = 0  # in a row
        self.due = 0.0  # the loop's time from which a life may begin
        self.last_exit = ""
        self.totals = Totals()
        self._patience = patience

    @property
    def name(self) -> str:
        return f"worker {self.slot}" if self.role == "worker" else self.role

    @property
    def state(self) -> str:
        return self.life.state if self.life is not None else "down"

    @property
    def is_ready(self) -> bool:
        return self.life is not None and self.life.state == "ready"

    @property
    def restarts(self) -> int:
        return max(0, self.lives - 1)

    def is_due(self, now: float) -> bool:
        return self.wanted and self.life is None and now >= self.due

    def is_silent(self, now: float) -> str:
        """Why the present life is to be killed, or "" when it is well."""
        life = self.life
        if life is None or life.killed or life.state == "draining" or life.silent_at is not None:
            return ""
        if life.state == "starting":
            return (
                f"not ready within {self._patience.start:g} s" if now - life.started_at > self._patience.start else ""
            )
        limit = self._patience.worker_silence if self.role == "worker" else self._patience.other_silence
        return f"no heartbeat for {limit:g} s" if now - life.beat_at > limit else ""

    def ended(self, life: Life, obituary: str, now: float) -> float:
        """Count the present life's end; returns the seconds until its successor may begin."""
        self.life = None
        self.last_exit = obituary
        self.totals.add(life.boot, life.stats)
        was_young = life.boot == 0 or now - life.started_at < self._patience.settled
        self.young_deaths = self.young_deaths + 1 if was_young else 0
        wait = 0.0
        if self.young_deaths > 1:
            wait = min(self._patience.longest_backoff, self._patience.first_backoff * 2 ** (self.young_deaths - 2))
        self.due = now + wait
        return wait

    def everyone(self) -> list[Life]:
        """Whoever lives by this seat: the present life, who succeeds it, and who is leaving."""
        lives = (self.life, self.successor, *self.retiring, *self.leaving)
        return [life for life in lives if life is not None]

    @property
    def start_failed(self) -> bool:
        return not self.was_ready and self.young_deaths >= ATTEMPTS

    def stats(self) -> Stats:
        """Totals of every life so far. Gauges are the present life's alone."""
        merged = Stats(counters={}, gauges={}, histograms={}, ledger=[])
        merge_stats(merged, self.totals.stats)
        for life in self.retiring:
            merge_stats(merged, life.stats)
        if self.life is not None:
            merge_stats(merged, self.life.stats)
            merged.gauges = dict(self.life.stats.gauges)
        return merged

    def ledgers(self) -> dict[int, list[Row]]:
        """The last rows of each boot, the present one's last."""
        rows = dict(self.totals.ledgers)
        rows |= {life.boot: life.stats.ledger for life in self.retiring if life.stats.ledger}
        if self.life is not None and self.life.stats.ledger:
            rows[self.life.boot] = self.life.stats.ledger
        return rows
