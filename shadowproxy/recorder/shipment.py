"""Pairs to a server of JSON lines, once they stand in the log: what stands there was redacted, nothing else is sent."""

from __future__ import annotations

from collections.abc import Sequence

from shadowproxy import ecs
from shadowproxy.recorder.lines import Line
from shadowproxy.recorder.writer import Emit
from shadowproxy.settings.snapshot import Logs
from shadowproxy.shipping import Shipper


class Shipment:
    def __init__(self, shipper: Shipper) -> None:
        self._shipper = shipper
        self.close = shipper.close

    def take(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._shipper.offer(line.data.rstrip(b"\n"))

    def counters(self) -> dict[str, float]:
        return {
            'shipped_total{what="pairs"}': self._shipper.sent,
            'ship_dropped_total{what="pairs"}': self._shipper.dropped,
        }


def shipment(settings: Logs, emit: Emit) -> Shipment | None:
    """None where pairs are not to be shipped."""
    ship = settings.ship
    if ship is None or "pairs" not in ship.what:
        return None
    dress = ecs.pair if settings.profile == ecs.ECS else bytes
    return Shipment(
        Shipper(ship.to, ship.buffer, ship.rate, dress, lambda event, fields: emit("warning", event, **fields))
    )
