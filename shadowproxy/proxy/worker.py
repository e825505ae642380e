"""A worker's life: build from a snapshot, serve, change to another snapshot, drain, end. In that order below.

Law: what a request needs it finds here without looking anything up by name; nothing here is done per request but
counting.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import ssl
import weakref
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns
from typing import Final

import msgspec
import structlog

from shadowproxy.core.breaker import CLOSED
from shadowproxy.core.budget import Budget
from shadowproxy.core.ledger import Ledger
from shadowproxy.core.outcome import DRAINING, DROPPED, OVERLOAD, RECORDER_BEHIND
from shadowproxy.core.rate import ConnectRate
from shadowproxy.proxy import tls, warm
from shadowproxy.proxy.canary import Canary, Face
from shadowproxy.proxy.counters import Counters, label
from shadowproxy.proxy.downstream import Downstream
from shadowproxy.proxy.handshakes import TlsServer
from shadowproxy.proxy.ids import Ids
from shadowproxy.proxy.leg import give_up_all
from shadowproxy.proxy.mirror import Mirror
from shadowproxy.proxy.newcomers import LAST_ARRIVALS_S, turn_away
from shadowproxy.proxy.pressure import MOST, Throttling
from shadowproxy.proxy.production import Production
from shadowproxy.proxy.reads import ReadBudget
from shadowproxy.proxy.recording import Recording
from shadowproxy.proxy.runtime import Runtime
from shadowproxy.proxy.tether import Tether
from shadowproxy.proxy.timers import TICK_NS, Timers
from shadowproxy.settings import snapshot as snapshots
from shadowproxy.settings.snapshot import Candidate, Ramp, Snapshot
from shadowproxy.settings.snapshot import Production as ProductionSettings
from shadowproxy.wire.messages import Stats

log = structlog.get_logger()

LEDGER_S: Final = 5.0
LAST_WORDS_S: Final = 0.05  # for answers to leave before connections are cut
RECORDER_PATIENCE_S: Final = 15.0  # without an acknowledgement; a recorder that died is replaced well within
POOLS_S: Final = 1.0
COLLECT_S: Final = 60.0
LAG_NS: Final = 100_000_000  # a sweep that is this late, twice running, sheds copies
READ_FIRST_S: Final = 0.001  # the least that lets the loop look at its sockets before
MAX_SNAPSHOTS: Final = 8
BACKLOG: Final = 4096
TOLD_SO: Final = 32  # connections beyond the limit that may come as far as to hear of it

Contexts = dict[str, ssl.SSLContext]
_PRODUCTION: Final = ""  # the one upstream whose context does not go by its name: a candidate may bear the same


class Worker:
    def __init__(self, slot: int, boot: int, recorder: str, loop: asyncio.AbstractEventLoop) -> None:
        self.slot = slot
        self.boot = boot
        self.loop = loop
        self.timers = Timers(perf_counter_ns)
        self.ids = Ids()
        self.connections: set[Downstream] = set()
        self.paused: set[Downstream] = set()
        self.max_connections = 1
        self.tunnels = 0
        self.draining = False
        self.ledger = Ledger()
        self.budget = Budget(0)
        self.reads = ReadBudget(loop)
        self.rate = ConnectRate(perf_counter_ns())
        self.runtime: Runtime
        self.recording: Recording
        self._recorder = recorder
        self._snapshots: dict[int, bytes] = {}
        # Of runtimes in use by requests, by generation; a negative one is of a face.
        self._tethers: weakref.WeakValueDictionary[int, Tether] = weakref.WeakValueDictionary()
        self._context: ssl.SSLContext | None = None  # towards clients
        self._tasks: set[asyncio.Task[None]] = set()  # short ones: clients that are not yet connections
        self._productions: dict[bytes, Production] = {}
        self._warmed: dict[bytes, Production] = {}  # of what is prepared: connected, not yet in use
        self._mirrors: dict[bytes, Mirror] = {}
        self._prepared: tuple[int, Snapshot, Callable[[], None]] | None = None
        self._hushed: frozenset[str] = frozenset()
        self._servers: list[tuple[asyncio.AbstractServer | TlsServer, socket.socket]] = []
        self._lag_ns = 0
        self._worst_lag_ns = 0  # since the last heartbeat
        self._late = 0
        self.throttling = Throttling()
        self._throttled = 0.0  # share of the CPU quota's periods in which the kernel stopped us, over the last second
        self._overloaded = False  # as of the last sweep
        self.counters = Counters()
        self._timer: asyncio.TimerHandle | None = None
        self._swept_at = perf_counter_ns()
        self._next_ledger = 0.0
        self._next_pools = 0.0
        self._next_collect = loop.time() + COLLECT_S
        self._pause_ns = 0

    # -- configuration -----------------------------------------------------------------------------------------------

    def configure(self, data: bytes) -> None:
        """The first snapshot. Raises OSError or ssl.SSLError when a certificate cannot be read."""
        snapshot = snapshots.decode(data)
        self.budget.limit = snapshot.mirror.max_buffered
        self.recording = Recording(self._recorder, self.slot, self.boot, self.budget, self._snapshots.__getitem__)
        if snapshot.tls is not None:
            self._context = tls.downstream_context(snapshot.tls)
        self._install(snapshot, data, _upstream_contexts(snapshot))

    def prepare(self, data: bytes) -> None:
        """Build what a later `commit` will use; raises as `configure` does."""
        snapshot = snapshots.decode(data)
        context = None if snapshot.tls is None else tls.downstream_context(snapshot.tls)
        contexts = _upstream_contexts(snapshot)

        def take() -> None:
            self._install(snapshot, data, contexts)
            if context is not None and self._context is not None:
                # For handshakes that begin from now on. A context that is changed where it is would go on trusting the
                # authority of before.
                self._context = context

        self._prepared = (snapshot.generation, snapshot, take)

    def commit(self, generation: int) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[0] == generation:
            prepared[2]()

    def abort(self, generation: int) -> None:
        if self._prepared is not None and self._prepared[0] == generation:
            self._prepared = None
            for key, warmed in self._warmed.items():
                if self._productions.get(key) is not warmed:
                    warmed.close()
            self._warmed.clear()

    async def warm(self) -> str:
        """Connect to what was prepared, so that no request waits for it; why it cannot be reached, or nothing."""
        if self._prepared is None:
            return ""
        generation, snapshot, _ = self._prepared
        workers, contexts = max(1, snapshot.workers), _upstream_contexts(snapshot)
        answering = [self._production(snapshot.production, workers, contexts.get(_PRODUCTION), self._warmed)]
        if snapshot.ramp is not None:
            answering.append(self._challenger(snapshot.ramp, workers, contexts, self._warmed))
        problems = [problem for production in answering if (problem := await warm.connected(production))]
        problem = next(iter(problems), "")
        if problem and self._prepared is not None and self._prepared[0] == generation:
            self.abort(generation)
        return problem

    def hush(self, candidates: tuple[str, ...]) -> None:
        """The kill switch: from now on no copies to these, also of requests that have already begun."""
        before, self._hushed = self._hushed, frozenset(candidates)
        if self._hushed >= before:
            for tether in list(self._tethers.values()):
                tether.hush(self._hushed)
        elif self._tethers:
            self.runtime.tether.hush(self._hushed)

    def _install(self, snapshot: Snapshot, data: bytes, contexts: Contexts) -> None:
        workers = max(1, snapshot.workers)
        self._productions |= self._warmed
        self._warmed.clear()
        production = self._production(snapshot.production, workers, contexts.get(_PRODUCTION), self._productions)
        targets = {candidate.name: self._mirror(candidate, workers, contexts) for candidate in _targets(snapshot)}
        self.budget.limit = snapshot.mirror.max_buffered
        self.max_connections = max(1, -(-snapshot.limits.connections // workers))
        self._snapshots[snapshot.generation] = data
        runtime = Runtime(snapshot, production, targets, self.ledger, self.counters.routes)
        self._tethers[snapshot.generation] = runtime.tether
        answering = {id(production)}
        if snapshot.ramp is not None:
            challenger = self._challenger(snapshot.ramp, workers, contexts, self._productions)
            answering.add(id(challenger))
            self._ramp(runtime, snapshot.ramp, challenger, targets)
        runtime.tether.hush(self._hushed)
        self.runtime = runtime
        self._forget_snapshots()
        for connection in list(self.connections):
            connection.outlive(snapshot.generation - MAX_SNAPSHOTS)
        for key, old in [(key, old) for key, old in self._productions.items() if id(old) not in answering]:
            del self._productions[key]
            old.close()
        self.rate.divide(list(targets))
        kept = set(map(id, targets.values()))
        for key, gone in [(key, gone) for key, gone in self._mirrors.items() if id(gone) not in kept]:
            del self._mirrors[key]
            gone.pool.close()

    def _ramp(self, runtime: Runtime, ramp: Ramp, challenger: Production, targets: dict[str, Mirror]) -> None:
        """Let `runtime` give a share of its requests to the challenger."""
        face = Face(runtime.snapshot, ramp, challenger, targets, self.ledger, self.counters.routes)
        self._tethers[-runtime.generation] = face.tether  # its requests may be the last that need the generation
        canary = runtime.tether.canary = Canary(runtime, face, ramp)
        runtime.exchange = canary

    def _challenger(self, ramp: Ramp, workers: int, contexts: Contexts, kept_in: dict[bytes, Production]) -> Production:
        return self._production(ramp.challenger, workers, contexts.get(ramp.candidate), kept_in)

    def _production(
        self,
        settings: ProductionSettings,
        workers: int,
        context: ssl.SSLContext | None,
        kept_in: dict[bytes, Production],
    ) -> Production:
        """The one with these settings where there is one; else a new one, kept in `kept_in`."""
        own = (settings.timeouts, settings.connections, settings.keep_alive, settings.max_age)
        key = msgspec.json.encode([settings.name, settings.urls, settings.tls, own, workers])
        known = self._productions.get(key)
        if known is None:
            known = kept_in[key] = Production(
                settings,
                max(1, -(-settings.connections // workers)),
                self.timers,
                context,
                random.randrange(len(settings.urls)),
            )
            known.durations = self.counters.durations.setdefault(settings.name, known.durations)
        for endpoint in known.endpoints:
            if endpoint.pool.address.tls:
                endpoint.pool.tls = context
        return known

    def _mirror(self, candidate: Candidate, workers: int, contexts: Contexts) -> Mirror:
        key = msgspec.json.encode([candidate.name, candidate.url, candidate.tls, candidate.breaker])
        known = self._mirrors.get(key)
        if known is None:
            known = self._mirrors[key] = Mirror(
                candidate,
                workers=workers,
                timers=self.timers,
                reads=self.reads,
                rate=self.rate,
                tls=contexts.get(candidate.name),
            )
            known.finished = self.counters.finished.setdefault(candidate.name, known.finished)
            known.keyless = self.counters.keyless.setdefault(candidate.name, known.keyless)
        else:
            known.update(candidate, workers)
            known.pool.tls = contexts.get(candidate.name)
        return known

    def _forget_snapshots(self) -> None:
        """At most eight are kept, and older ones that a pair which waits, or a request in flight, will name."""
        needed = {*self.recording.generations(), *map(abs, self._tethers)}
        for generation in sorted(self._snapshots)[:-MAX_SNAPSHOTS]:
            if generation not in needed:
                del self._snapshots[generation]

    # -- serving -----------------------------------------------------------------------------------------------------

    async def serve(self, listen: list[int]) -> None:
        self.recording.start()
        for fd in listen:
            self._servers.append((await self._listen(fd), socket.socket(fileno=fd)))
        gc.collect()
        gc.freeze()
        # Reference counting frees what requests leave behind; a full collection would stop the loop at a bad moment.
        gc.set_threshold(50_000, 20, 1_000_000)
        self._swept_at = perf_counter_ns()
        self._timer = self.loop.call_later(TICK_NS / 1e9, self._sweep)

    async def _listen(self, fd: int) -> asyncio.AbstractServer | TlsServer:
        """On a descriptor of its own for the socket `fd`."""
        sock = socket.socket(fileno=os.dup(fd))
        sock.setblocking(False)
        sock.listen(BACKLOG)
        if self._context is not None:
            return TlsServer(self.loop, sock, self._take)
        return await self.loop.create_server(lambda: Downstream(self), sock=sock, backlog=BACKLOG)

    def _take(self, client: socket.socket) -> None:
        """A client that has connected; where there are as many as there may be, only some may still be told so."""
        if len(self.connections) + len(self._tasks) < self.max_connections + TOLD_SO:
            self._keep(self.loop.create_task(self._adopt(client), name="handshake"))
        else:
            client.close()
            self.counters.refused(503)

    def _sweep(self) -> None:
        now = perf_counter_ns()
        self._timer = self.loop.call_later(TICK_NS / 1e9, self._sweep)
        self._lag_ns = max(0, now - self._swept_at - TICK_NS)
        self._worst_lag_ns = max(self._worst_lag_ns, self._lag_ns)
        self._swept_at = now
        if self._lag_ns > LAG_NS:
            self._late += 1
            # What came meanwhile is read first, or who spoke in time would be blamed for silence (e2e/test_late.py).
            self.loop.call_later(READ_FIRST_S, self.timers.sweep)
        else:
            self._late = 0
            self.timers.sweep()
        self.counters.fold()
        for connection in [connection for connection in self.paused if connection.has_left()]:
            connection.left_while_paused()
        seconds = self.loop.time()
        if seconds >= self._next_pools:
            self._next_pools = seconds + POOLS_S
            self._throttled = self.throttling.share()
            for production in self._productions.values():
                production.sweep()
            for mirror in self._mirrors.values():
                mirror.pool.sweep()
        self._overloaded = self._late >= 2 or self._throttled > MOST
        if seconds >= self._next_ledger:
            self._next_ledger = seconds + LEDGER_S
            self.recording.send_ledger(self.ledger_rows())
        if seconds >= self._next_collect:
            self._next_collect = seconds + COLLECT_S
            began = perf_counter_ns()
            gc.collect(1)
            self._pause_ns = perf_counter_ns() - began

    def shedding(self) -> int:
        """Why copies must not leave just now, 0 when they may: the mirror gives way before production does."""
        if self._overloaded and self.runtime.snapshot.mirror.shed:
            return OVERLOAD
        if self.recording.is_behind:
            return RECORDER_BEHIND
        return DRAINING if self.draining and not self.connections else 0

    # -- what it tells -----------------------------------------------------------------------------------------------

    def ledger_rows(self) -> bytes:
        return msgspec.json.encode(self.ledger.lines())

    def stats(self) -> Stats:
        gauges: dict[str, float] = {
            "mirror_buffered_bytes": self.budget.held,
            "loop_lag_seconds": self._worst_lag_ns / 1e9,
            "cpu_throttled_ratio": self._throttled,
            "gc_pause_seconds": self._pause_ns / 1e9,
            "connections": len(self.connections) + len(self._tasks),
            "tunnels": self.tunnels,
        }
        self._worst_lag_ns = 0
        for mirror in self._mirrors.values():
            name = label(mirror.settings.name)
            gauges[f'mirror_in_flight{{candidate="{name}"}}'] = mirror.in_flight
            gauges[f'breaker_open{{candidate="{name}"}}'] = float(mirror.breaker.state != CLOSED)
        return self.counters.stats(self.ledger.lines(), gauges)

    def is_healthy(self) -> bool:
        return self.runtime.production.is_usable()

    # -- the end -----------------------------------------------------------------------------------------------------

    async def drain(self, delay_s: float, grace_s: float, *, last: bool = False) -> None:
        """Serve on for `delay_s`, then finish what is in flight, pairs too, in `grace_s` at most.

        `last`: nobody goes on accepting at these sockets, so this worker does for `delay_s`. Otherwise it stops at
        once, and serves who is connected.
        """
        self.draining = True
        if not last:
            self._stop_accepting()
        await asyncio.sleep(delay_s)
        if last:
            for _, sock in self._servers:
                turn_away(sock)
            await asyncio.sleep(LAST_ARRIVALS_S)
            self._stop_accepting()
        deadline = self.loop.time() + grace_s
        while True:
            for connection in list(self.connections):
                connection.drain()
            # Slept at least once: what was accepted just now has not become a connection yet.
            await asyncio.sleep(0.01)
            if self.loop.time() >= deadline or not (self.connections or self._tasks or self._in_flight()):
                break
        for connection in list(self.connections):
            connection.give_up()
        if self.connections:
            await asyncio.sleep(LAST_WORDS_S)
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        if self._in_flight():
            give_up_all()
        lost = await self.recording.drain(RECORDER_PATIENCE_S)
        if lost:
            log.warning("recorder.lost", pairs=lost)
        await self.recording.close(self.ledger_rows())
        if self._timer is not None:
            self._timer.cancel()

    def _in_flight(self) -> int:
        """Copies, also to mirrors of older configurations."""
        mirrors = {mirror for tether in self._tethers.values() for mirror in tether.mirrors}
        return sum(mirror.in_flight for mirror in mirrors)

    def _stop_accepting(self) -> None:
        """What is in the queue already is ours: accept it all before the socket is let go."""
        for server, sock in self._servers:
            server.close()
            sock.setblocking(False)
            with suppress(BlockingIOError, OSError):
                while True:
                    self._take(sock.accept()[0])
            sock.close()
        self._servers.clear()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _adopt(self, client: socket.socket) -> None:
        client.setblocking(False)
        context = self._context
        with suppress(OSError):
            await self.loop.connect_accepted_socket(
                lambda: Downstream(self),
                client,
                ssl=context,
                ssl_handshake_timeout=self.runtime.limits.head_timeout if context else None,
                ssl_shutdown_timeout=2.0 if context else None,
            )


def _upstream_contexts(snapshot: Snapshot) -> Contexts:
    """TLS towards the upstreams that speak it, by name; a context takes tens of ms, so others get none."""
    found: Contexts = {}
    if any(url.startswith("https:") for url in snapshot.production.urls):
        found[_PRODUCTION] = tls.upstream_context(snapshot.production.tls)
    for candidate in _targets(snapshot):
        if candidate.url.startswith("https:"):
            found[candidate.name] = tls.upstream_context(candidate.tls)
    return found


def _targets(snapshot: Snapshot) -> list[Candidate]:
    """Who gets copies: in a ramp production too, of what the candidate answers."""
    incumbent = [snapshot.ramp.incumbent] if snapshot.ramp is not None else []
    return [*snapshot.candidates, *([snapshot.twin] if snapshot.twin is not None else []), *incumbent]


assert len(DROPPED) < 256, "a reason is one byte in a frame"
