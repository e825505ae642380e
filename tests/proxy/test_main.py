"""A worker's life, told over a control socket; the worker itself is a stand-in."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shadowproxy.proxy import __main__ as main
from shadowproxy.settings import snapshot as s
from shadowproxy.wire import messages as w
from tests.proxy.world import configuration

SNAPSHOT = s.encode(configuration())


class FakeWorker:
    """Notes what it was asked to do, in order."""

    fault: Exception | None = None

    def __init__(self, slot: int, boot: int, recorder: str, loop: asyncio.AbstractEventLoop) -> None:
        self.did: list[object] = []
        self.runtime: Any = argparse.Namespace(limits=s.Limits(drain=7.0))

    def configure(self, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self.did.append("configure")

    async def serve(self, listen: list[int]) -> None:
        self.did.append(("serve", tuple(listen)))

    def prepare(self, data: bytes) -> None:
        if data != SNAPSHOT:
            raise FileNotFoundError(2, "No such file or directory", "cert.pem")
        self.did.append("prepare")

    def commit(self, generation: int) -> None:
        self.did.append(("commit", generation))

    def abort(self, generation: int) -> None:
        self.did.append(("abort", generation))

    async def drain(self, delay_s: float, grace_s: float, *, last: bool = False) -> None:
        self.did.append(("drain", delay_s, grace_s, last))

    def stats(self) -> w.Stats:
        return w.Stats(gauges={"connections": 0})

    def is_healthy(self) -> bool:
        return True


class Supervisor:
    """The other end of the control socket."""

    def __init__(self, sock: socket.socket, life: main.Life, task: asyncio.Task[None]) -> None:
        self._sock = sock
        self._inbox = w.SupervisorInbox()
        self._heard: list[Any] = []
        self.life = life
        self.task = task

    @property
    def did(self) -> list[object]:
        return self.life.worker.did  # type: ignore[attr-defined, no-any-return]

    def say(self, *messages: Any) -> None:
        self._sock.sendall(b"".join(map(w.pack, messages)))

    async def hear(self, kind: type[Any]) -> Any:
        """The next message of a kind."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while True:
                while self._heard:
                    message = self._heard.pop(0)
                    if isinstance(message, kind):
                        return message
                data = await loop.sock_recv(self._sock, 65536)
                assert data, f"the child ended before it said {kind.__name__}"
                self._heard += self._inbox.feed(data)

    def leave(self) -> None:
        self._sock.close()

    async def end(self) -> None:
        async with asyncio.timeout(5):
            await self.task


@asynccontextmanager
async def living(monkeypatch: pytest.MonkeyPatch, fault: Exception | None = None) -> AsyncIterator[Supervisor]:
    monkeypatch.setattr(main, "Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "fault", fault)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    life = main.Life(argparse.Namespace(slot=2, control=theirs.detach(), listen=[99], recorder="/nowhere"))
    supervisor = Supervisor(ours, life, asyncio.create_task(life.run()))
    try:
        yield supervisor
    finally:
        ours.close()
        await supervisor.end()
        asyncio.get_running_loop().set_exception_handler(None)


async def test_it_builds_itself_serves_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(monkeypatch) as supervisor:
        supervisor.say(w.Configure(SNAPSHOT))
        ready = await supervisor.hear(w.Ready)
        assert (ready.role, ready.slot) == ("worker", 2)
        assert (await supervisor.hear(w.Heartbeat)).stats.gauges == {"connections": 0}
        assert supervisor.did == ["configure", ("serve", (99,))]


async def test_what_it_cannot_be_built_from_is_told_and_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FileNotFoundError(2, "No such file or directory", "cert.pem")
    async with living(monkeypatch, fault) as supervisor:
        supervisor.say(w.Configure(SNAPSHOT))
        assert "cert.pem" in (await supervisor.hear(w.Failed)).reason
        await supervisor.end()


async def test_a_change_is_prepared_and_then_committed_or_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(monkeypatch) as supervisor:
        supervisor.say(w.Configure(SNAPSHOT))
        await supervisor.hear(w.Ready)
        supervisor.say(w.Prepare(2, SNAPSHOT), w.Commit(2), w.Prepare(3, SNAPSHOT), w.Abort(3))
        assert (await supervisor.hear(w.Prepared)).error == ""
        assert (await supervisor.hear(w.Prepared)).generation == 3
        supervisor.say(w.Prepare(4, b"unreadable"))
        assert "cert.pem" in (await supervisor.hear(w.Prepared)).error
        assert supervisor.did[2:] == ["prepare", ("commit", 2), "prepare", ("abort", 3)]


async def test_a_drain_ends_with_its_last_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(monkeypatch) as supervisor:
        supervisor.say(w.Configure(SNAPSHOT))
        await supervisor.hear(w.Ready)
        supervisor.say(w.Drain(1.0, 2.0), w.Drain(0.0, 0.0))
        await supervisor.hear(w.Heartbeat)
        await supervisor.hear(w.Drained)
        await supervisor.end()
        assert supervisor.did[2:] == [("drain", 1.0, 2.0, False)]


async def test_a_stop_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(monkeypatch) as supervisor:
        supervisor.say(w.Configure(SNAPSHOT))
        await supervisor.hear(w.Ready)
        supervisor.say(w.Stop())
        await supervisor.end()
        assert supervisor.did[2:] == []


async def test_an_orphan_drains_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(monkeypatch) as supervisor:
        supervisor.say(w.Configure(SNAPSHOT))
        await supervisor.hear(w.Ready)
        supervisor.leave()
        await supervisor.end()
        assert supervisor.did[2:] == [("drain", 0.0, 7.0, True)]


async def test_an_orphan_that_never_served_just_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with living(monkeypatch) as supervisor:
        supervisor.leave()
        await supervisor.end()
        assert supervisor.did == []
