"""Who is pushed to, and when: follows the readings, and the configuration in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from shadowproxy.admin.reading import Reading
from shadowproxy.settings.snapshot import Metrics

from .graphite import GraphitePush
from .samples import Interval, Sample
from .statsd import StatsDPush


class Push(Protocol):
    sent: int
    dropped: int

    async def push(self, grown: Iterable[tuple[Sample, float]], at: float) -> None: ...

    async def close(self) -> None: ...


class Pusher:
    def __init__(self) -> None:
        self._settings = Metrics()
        self._targets: dict[str, Push] = {}
        self._interval = Interval()
        self._pushed_at = 0.0
        self._gone: dict[str, tuple[int, int]] = {}  # what targets of former configurations counted

    async def look(self, reading: Reading) -> None:
        if reading.snapshot.metrics != self._settings:
            await self._configure(reading.snapshot.metrics)
        if not self._targets or reading.is_within(self._settings.every, self._pushed_at):
            return
        self._pushed_at = reading.at
        grown = self._interval.advance(reading)
        for target in self._targets.values():
            await target.push(grown, reading.at)

    async def _configure(self, settings: Metrics) -> None:
        await self.close()
        self._settings = settings
        if settings.statsd is not None:
            self._targets["statsd"] = StatsDPush(settings.statsd)
        if settings.graphite is not None:
            graphite = self._targets["graphite"] = GraphitePush(settings.graphite)
            graphite.start()

    def counters(self) -> dict[str, float]:
        """Samples sent and dropped, as `wire.messages.Stats` names them."""
        counted: dict[str, float] = {}
        for to in self._targets.keys() | self._gone.keys():
            sent, dropped = self._gone.get(to, (0, 0))
            target = self._targets.get(to)
            if target is not None:
                sent, dropped = sent + target.sent, dropped + target.dropped
            counted[f'pushed_total{{to="{to}"}}'] = sent
            counted[f'push_dropped_total{{to="{to}"}}'] = dropped
        return counted

    async def close(self) -> None:
        for to, target in self._targets.items():
            sent, dropped = self._gone.get(to, (0, 0))
            self._gone[to] = (sent + target.sent, dropped + target.dropped)
            await target.close()
        self._targets = {}
