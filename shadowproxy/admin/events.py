"""`/api/v1/events`: what changes, as it changes (server-sent events).

    event: status     the page of `/api/v1/status`, when it has changed, at most twice a second
    event: verdicts   {name: {trial, verdict, headline, pairs}}, when one has changed
    event: change     one audit record: who changed what, before and after
    : heartbeat       each 15 s

Law: a client that reads slowly is not waited for: of `status` and `verdicts` it gets the newest only, and one that
takes nothing for `STALL_S` is let go. Nothing is asked of the supervisor while nobody listens.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from .asking import NoAnswerError
from .exchange import query
from .problems import Refusal
from .status import page
from .tasks import end
from .verdicts import Records
from .view import View

routes = web.RouteTableDef()

CLIENTS: Final = 32
LOOK_S: Final = 0.5
HEARTBEAT_S: Final = 15.0
STALL_S: Final = 15.0
CHANGES: Final = 100  # audit records that wait for one client; of more the oldest are lost to it

_log = structlog.get_logger()


class Listener:
    """One client: what it has not been sent yet."""

    def __init__(self) -> None:
        self.newest: dict[str, bytes] = {}
        self.changes: deque[bytes] = deque(maxlen=CHANGES)
        self.woken = asyncio.Event()

    def put(self, event: str, data: bytes) -> None:
        if event == "change":
            self.changes.append(data)
        else:
            self.newest[event] = data
        self.woken.set()

    def take(self) -> bytes:
        """Everything that waits, as it goes over the wire."""
        self.woken.clear()
        told = [("change", data) for data in self.changes] + list(self.newest.items())
        self.changes.clear()
        self.newest.clear()
        return b"".join(b"event: " + event.encode() + b"\ndata: " + data + b"\n\n" for event, data in told)


class Broadcast:
    """One look at what runs, however many listen."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.listeners: set[Listener] = set()
        self.closed = asyncio.Event()
        self._told: dict[str, bytes] = {}
        self._audited: int | None = None
        self._task: asyncio.Task[None] | None = None
        view.verdicts.subscribe(self._judged)

    def join(self) -> Listener:
        if len(self.listeners) >= CLIENTS or self.closed.is_set():
            raise Refusal(503, f"{CLIENTS} clients are listening already.", {"Retry-After": "10"})
        listener = Listener()
        self.listeners.add(listener)
        for event, data in self._told.items():
            listener.put(event, data)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look_and_tell(), name="admin.events")
        return listener

    def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)

    async def close(self) -> None:
        self.closed.set()
        for listener in self.listeners:
            listener.woken.set()
        await end(self._task)

    async def _look_and_tell(self) -> None:
        while self.listeners:
            try:
                await self._look()
            except NoAnswerError:
                pass  # the stream stays: the next look may have an answer
            except Exception:  # noqa: BLE001 - this task's root
                _log.exception("admin.events_fault")
            await asyncio.sleep(LOOK_S)
        self._task = None
        self._told.clear()
        self._audited = None

    async def _look(self) -> None:
        told = await self._view.status()
        verdicts = await self._view.verdicts.all()
        self._tell("status", live(page(self._view.snapshot, told, verdicts)))
        self._tell("verdicts", brief(verdicts))
        for record in told["audit"]:
            if self._audited is not None and record["seq"] > self._audited:
                data = orjson.dumps(record)
                for listener in self.listeners:
                    listener.put("change", data)
        self._audited = max((record["seq"] for record in told["audit"]), default=0)

    def _tell(self, event: str, body: Mapping[str, Any]) -> None:
        data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        if self._told.get(event) != data:
            self._told[event] = data
            for listener in self.listeners:
                listener.put(event, data)

    def _judged(self, before: Records, after: Records) -> None:
        if self.listeners:
            self._tell("verdicts", brief(after))


def live(status: dict[str, Any]) -> dict[str, Any]:
    """Without what changes at each look though nothing happens, and without the ledger's many rows."""
    left_out = ("uptime_s", "ledger", "audit")
    kept = {name: value for name, value in status.items() if name not in left_out}
    kept["workers"] = [{k: v for k, v in worker.items() if k != "heartbeat_age_s"} for worker in status["workers"]]
    if status["recorder"]:
        kept["recorder"] = {k: v for k, v in status["recorder"].items() if k != "heartbeat_age_s"}
    return kept


def brief(verdicts: Records) -> dict[str, Any]:
    return {
        name: {key: record.get(key) for key in ("trial", "verdict", "headline", "pairs")}
        for name, record in verdicts.items()
    }


BROADCAST: web.AppKey[Broadcast] = web.AppKey("broadcast", Broadcast)


@routes.get("/api/v1/events", allow_head=False)
async def events(request: web.Request) -> web.StreamResponse:
    query(request, {})
    broadcast = request.app[BROADCAST]
    listener = broadcast.join()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        await _stream(response, listener, broadcast)
    except (TimeoutError, ConnectionError):
        pass  # it reads no more
    finally:
        broadcast.leave(listener)
    return response


async def _stream(response: web.StreamResponse, listener: Listener, broadcast: Broadcast) -> None:
    """Until the client goes or this process ends."""
    while not broadcast.closed.is_set():
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await listener.woken.wait()
            data = listener.take()
        except TimeoutError:
            data = b": heartbeat\n\n"
        if data:
            async with asyncio.timeout(STALL_S):
                await response.write(data)
