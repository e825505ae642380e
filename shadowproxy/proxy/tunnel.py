"""A tunnel: after production's 101, bytes pass both ways until either side ends. It is never mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shadowproxy.proxy.downstream import Downstream
    from shadowproxy.proxy.production import ProductionConnection
    from shadowproxy.proxy.runtime import Runtime


class Tunnel:
    """Takes the place of the exchange on production's connection."""

    def __init__(self, downstream: Downstream, connection: ProductionConnection, runtime: Runtime) -> None:
        self._downstream = downstream
        self._connection = connection
        self.generation = runtime.generation
        self._idle_ns = runtime.tunnel_idle_ns
        self._last_ns = runtime.idle_ns
        connection.open_tunnel(self)
        downstream.worker.tunnels += 1
        self._open = True
        self._touch()

    def _touch(self) -> None:
        timers = self._downstream.worker.timers
        timers.arm(self._connection, self._idle_ns)

    def from_client(self, data: bytes) -> None:
        self._touch()
        if not self._connection.closed:
            self._connection.transport.write(data)

    def from_production(self, data: bytes) -> None:
        self._touch()
        self._downstream.write(data)

    def client_full(self) -> None:
        if not self._connection.closed:
            self._connection.transport.pause_reading()

    def client_drained(self) -> None:
        if not self._connection.closed:
            self._connection.transport.resume_reading()

    def production_full(self) -> None:
        self._downstream.pause_request()

    def production_drained(self) -> None:
        self._downstream.resume_request()

    def client_ended(self) -> None:
        self._end()
        if not self._connection.closed:
            self._connection.end_tunnel()
            timers = self._downstream.worker.timers
            timers.arm(self._connection, self._last_ns)  # production may never read what is left

    def production_ended(self) -> None:
        self._end()
        self._downstream.close()

    def idle(self) -> None:
        self._end()
        self._connection.drop()
        self._downstream.close()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._downstream.worker.tunnels -= 1
