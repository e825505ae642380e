"""The supervisor's whole life in one place: start → serve → drain → stop.

    start   sockets are opened, children exec'd, each sent its Configure; ready when every worker said Ready
    serve   dead or silent children are replaced, SIGHUP reloads; nothing that happens here is on a request's path
    drain   SIGTERM or SIGINT: not ready at once; workers finish, then the recorder, then the admin process
    stop    whatever is left is killed and reaped, sockets closed, the runtime directory removed; also after a fault

A second SIGTERM or SIGINT goes from drain to stop at once. If we are killed ourselves, children see their control
socket end and drain without us.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar

from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.settings.steering.verbs import VERBS
from shadowproxy.wire.messages import Answer, Ask, Failed, Heartbeat, Prepared, Ready, ToSupervisor

from . import sockets, status
from .configuration import Configuration, takes_new_workers
from .crew import Crew, Events
from .desk import Desk, ElsewhereError, UnknownError
from .errors import RefusedError, StartError
from .files import raise_limit
from .launch import Launcher
from .life import Life
from .reload import Loader, Reload
from .seat import ATTEMPTS, Patience, Seat
from .store import Store

_REFUSALS: dict[type[RefusedError], str] = {ElsewhereError: "elsewhere", UnknownError: "unknown"}


class Supervisor:
    """One run of the proxy. `on_ready` gets the configuration in force, with the ports that port 0 became."""

    def __init__(
        self,
        snapshot: Snapshot,
        load: Loader,
        events: Events,
        on_ready: Callable[[Snapshot], None],
        launcher: Launcher | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._file = snapshot
        self._load = load
        self._events = events
        self._on_ready = on_ready
        self._launcher = launcher or Launcher()
        self._patience = patience or Patience()
        self._started_ms = time.time_ns() // 1_000_000
        self._started_at = time.monotonic()
        self._draining = False
        self._told_to_end = asyncio.Event()
        self._renewing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """The exit code; StartError when the proxy cannot start."""
        with ExitStack() as stack:
            self._listen_to_signals()
            self._open(stack)
            for work, name in ((self._crew.watch(), "watch"), (self._desk.settle(), "settle")):
                stack.callback(asyncio.create_task(work, name=name).cancel)
            await self._start()
            await self._told_to_end.wait()
            await self._drain()
        return 0

    # -- start -----------------------------------------------------------------------------------------------------

    def _open(self, stack: ExitStack) -> None:
        """Sockets and seats. What is opened is closed when `stack` ends, children first."""
        self._desk = Desk(self._file, Store(self._file.state), self._started_ms, self._events)
        self._desk.is_closed = lambda: self._draining
        configured = self._desk.steered
        files = raise_limit()
        self._slots = sockets.open_slots(configured.listen, configured.workers)
        stack.callback(sockets.close, self._slots)
        listen, admin_listen = sockets.bound_address(self._slots[0], configured.listen), None
        admin: socket.socket | None = None
        if configured.admin.listen:
            admin = sockets.open_admin(configured.admin.listen)
            stack.callback(admin.close)
            admin_listen = sockets.bound_address(admin, configured.admin.listen)
        directory = sockets.RuntimeDirectory()
        stack.callback(directory.remove)
        self._configuration = Configuration(configured, files, listen, admin_listen)
        self._warn_if_lowered(files)
        seats = [Seat("worker", slot, sock, self._patience) for slot, sock in enumerate(self._slots)]
        seats.append(Seat("recorder", 0, directory.recorder, self._patience))
        if admin is not None:
            seats.append(Seat("admin", 0, admin, self._patience))
        more = {"worker": ("--recorder", directory.recorder_path)}
        self._crew = Crew(
            seats,
            self._launcher,
            self._patience,
            arguments=lambda role: more.get(role, ()),
            snapshot=lambda: (self._configuration.current.generation, self._configuration.encoded),
            on_message=self._heard,
            events=self._events,
        )
        stack.callback(self._crew.end)
        self._expect_orphans_for()
        self._reload = Reload(self._crew, self._configuration, self._patience.prepare)
        self._desk.attend(self._crew, self._reload, self._configuration)

    def _listen_to_signals(self) -> None:
        """Handlers run on the loop, so none runs before `_open` is through."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._terminate, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        loop.add_signal_handler(signal.SIGCHLD, lambda: self._crew.poke())

    async def _start(self) -> None:
        """Announce once all workers are ready, and recorder and admin too unless they fail; they stop nobody."""
        workers = self._crew.of("worker")
        others = [seat for seat in self._crew.seats if seat.role != "worker"]

        def workers_decided() -> bool:
            return (
                self._draining or all(seat.is_ready for seat in workers) or all(seat.start_failed for seat in workers)
            )

        def others_decided() -> bool:
            return self._draining or all(seat.is_ready or seat.start_failed for seat in others)

        await self._crew.until(workers_decided, self._patience.start * (ATTEMPTS + 1))
        if self._draining:
            return
        if not any(seat.was_ready for seat in workers):
            words = next((seat.last_exit for seat in workers if seat.last_exit), "it did not say why")
            raise StartError(f"no worker could start: {words}")
        await self._crew.until(others_decided, self._patience.start)
        if not self._draining:
            self._on_ready(self._configuration.current)

    # -- serve -----------------------------------------------------------------------------------------------------

    def _terminate(self, number: int) -> None:
        if self._draining:
            self._events("warning", "stop.at_once", signal=signal.Signals(number).name)
            self._crew.hurry = True
        self._draining = True
        self._told_to_end.set()
        self._crew.poke()

    def _hang_up(self) -> None:
        """SIGHUP. Beside one reload under way and one waiting, a third adds nothing: the file is read after all."""
        if sum(task.get_name() == "reload" for task in self._tasks) < 2:
            self._begin(self._answer(self._reloaded({"by": "SIGHUP"}), "reload"), "reload")

    async def _reloaded(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Read the configuration again and put it in force."""
        before = self._configuration.current
        told = await self._desk.reload(self._load, body)
        self._expect_orphans_for()
        if takes_new_workers(before, self._configuration.current):
            await self._renewed({**body, "why": "the configuration"})
        self._events("info", "reload.done", **told)
        self._warn_if_lowered(raise_limit())
        return told

    async def _renewed_if(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Only if the revision that the wish names is still in force."""
        self._desk.check(body.get("revision"))
        return await self._renewed(body)

    async def _renewed(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the workers one by one; no request is lost, for each is succeeded before it leaves."""
        async with self._renewing:
            self._events("info", "workers.renewing", by=body.get("by"), why=body.get("why", "an operator"))
            problem = await self._crew.renew(self._crew.of("worker"))
            if problem:
                raise RefusedError([problem])
        return self._desk.told()

    async def _answer(self, work: Coroutine[Any, Any, dict[str, Any]], verb: str) -> Answer:
        """The answer (id 0): what is in force now, or why nothing has changed."""
        try:
            return Answer(0, True, await work)
        except RefusedError as e:
            self._events("warning", f"{verb}.refused", problems=list(e.problems))
            kind = _REFUSALS.get(type(e), "conflict")
            return Answer(0, False, {"kind": kind, "problems": list(e.problems)})
        except Exception as e:  # noqa: BLE001 - this task's root: a fault in reading a file must not end the proxy
            self._events("error", f"{verb}.fault", error=repr(e))
            return Answer(0, False, {"kind": "fault", "problems": [f"{verb} met a fault: {e!r}"]})

    def _heard(self, seat: Seat, life: Life, message: ToSupervisor) -> None:
        if isinstance(message, Ready):
            self._reload.catch_up(seat, life)
            if seat.role == "worker":
                self._desk.greet()
        elif isinstance(message, Prepared):
            self._reload.prepared(seat, life, message)
        elif isinstance(message, Failed):
            self._events("warning", f"{seat.role}.failed", slot=seat.slot, pid=life.pid, why=life.last_words)
        elif isinstance(message, Ask):
            self._asked(life, message)
        elif isinstance(message, Heartbeat) and seat.role == "worker":
            self._crew.spare(message)

    def _asked(self, life: Life, ask: Ask) -> None:
        body = ask.body if isinstance(ask.body, dict) else {}
        if ask.verb == "reload":
            self._begin(self._grant(life, ask, self._reloaded(body)), "reload for the admin")
        elif ask.verb == "renew":
            self._begin(self._grant(life, ask, self._renewed_if(body)), "renew")
        elif ask.verb in VERBS:
            self._begin(self._grant(life, ask, self._desk.wish(ask.verb, body)), ask.verb)
        elif ask.verb in self._TELLING:
            life.send(Answer(ask.id, True, self._TELLING[ask.verb](self)))
        else:
            life.send(Answer(ask.id, False, f"no such verb: {ask.verb}"))

    async def _grant(self, life: Life, ask: Ask, work: Coroutine[Any, Any, dict[str, Any]]) -> None:
        answer = await self._answer(work, ask.verb)
        life.send(Answer(ask.id, answer.ok, answer.body))

    def readiness(self) -> dict[str, Any]:
        return status.readiness(self._crew.of("worker"), draining=self._draining)

    def status(self) -> dict[str, Any]:
        """Everything that is known here, as plain values."""
        workers = self._crew.of("worker")
        now = asyncio.get_running_loop().time()
        return {
            **status.proxy(self._configuration.current, self._started_ms, time.monotonic() - self._started_at),
            **self._desk.status(),
            "draining": self._draining,
            "readiness": self.readiness(),
            "children": status.children(self._crew.seats, now),
            "totals": status.totals(self._crew.seats),
            "ledger": status.ledger(workers),
        }

    def history(self) -> dict[str, Any]:
        return {"items": self._desk.history()}

    _TELLING: ClassVar[dict[str, Callable[[Supervisor], dict[str, Any]]]] = {
        "status": status,
        "readiness": readiness,
        "history": history,
    }

    # -- drain -----------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        limits = self._configuration.current.limits
        workers = self._crew.of("worker")
        delay_s = limits.drain_delay if any(seat.was_ready for seat in workers) else 0.0
        self._events("info", "drain.began", delay_s=delay_s, grace_s=limits.drain, hint="signal again to stop at once")
        self._crew.tell_to_drain(workers, delay_s, limits.drain)
        # Workers hold these too and go on accepting; once they stop, a connection is refused and not left waiting.
        sockets.close(self._slots)
        await self._crew.empty(workers, delay_s + limits.drain + self._patience.farewell)
        for role, grace_s in (("recorder", self._patience.recorder_drain), ("admin", self._patience.admin_drain)):
            if self._crew.hurry:
                return
            seats = self._crew.of(role)
            self._crew.tell_to_drain(seats, 0.0, grace_s)
            await self._crew.empty(seats, grace_s + self._patience.farewell)
        self._events("info", "drain.done")

    # -- small things ----------------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _expect_orphans_for(self) -> None:
        limits = self._configuration.current.limits
        self._crew.delay_s = limits.drain_delay
        self._crew.orphan_s = limits.drain_delay + limits.drain

    def _warn_if_lowered(self, files: int) -> None:
        configured = self._configuration.lowered_from
        if configured is not None:
            fits = self._configuration.current.limits.connections
            hint = "raise the limit of open files (ulimit -Hn)"
            self._events("warning", "limits.lowered", connections=fits, configured=configured, files=files, hint=hint)
