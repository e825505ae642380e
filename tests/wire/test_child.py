"""A child's end of the control socket, on both event loops that children run on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from shadowproxy.wire import child as child_module
from shadowproxy.wire.child import Child
from shadowproxy.wire.messages import (
    Commit,
    Configure,
    Drained,
    Heartbeat,
    Ready,
    Stats,
    SupervisorInbox,
    ToChild,
    ToSupervisor,
    pack,
)


class Supervisor:
    """The other end, read with the plain event loop calls."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.setblocking(False)
        self.inbox = SupervisorInbox()
        self.got: list[ToSupervisor] = []

    async def receive(self, count: int) -> list[ToSupervisor]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while len(self.got) < count:
                data = await loop.sock_recv(self.sock, 65536)
                assert data, "the child closed the socket"
                self.got += self.inbox.feed(data)
        return self.got

    async def until_eof(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while data := await loop.sock_recv(self.sock, 65536):
                self.got += self.inbox.feed(data)


class Bench:
    """One connected child and all that its callbacks were told."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.supervisor = Supervisor(ours)
        self.messages: list[ToChild] = []
        self.arrived = asyncio.Event()
        self.orphaned = 0
        self.child = Child(theirs.detach(), "worker", 3, self._message, self._orphaned)

    def _message(self, message: ToChild) -> None:
        self.messages.append(message)
        self.arrived.set()
        if message == Commit(666):
            raise RuntimeError("a fault in the child's own code")

    def _orphaned(self) -> None:
        self.orphaned += 1

    async def end(self) -> None:
        self.child.close()
        await asyncio.wait_for(self.child.wait_closed(), 60)
        self.supervisor.sock.close()


Scenario = Callable[[Bench], Awaitable[None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Run one scenario on a loop of its own: children run on uvloop, the recorder and the admin may not."""

    async def main(scenario: Scenario) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        bench = Bench()
        await bench.child.connect()
        try:
            await scenario(bench)
        finally:
            await bench.end()

    def run(scenario: Scenario) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main(scenario))

    return run


Play = Callable[[Scenario], None]


def test_messages_reach_the_callback_in_order_however_they_are_cut(play: Play) -> None:
    sent = [Configure(b"{}"), Commit(2), Commit(3)]

    async def scenario(bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        for byte in b"".join(pack(m) for m in sent):
            await loop.sock_sendall(bench.supervisor.sock, bytes([byte]))
        async with asyncio.timeout(5):
            while len(bench.messages) < len(sent):
                bench.arrived.clear()
                await bench.arrived.wait()
        assert bench.messages == sent

    play(scenario)


def test_ready_says_who_this_life_is(play: Play) -> None:
    async def scenario(bench: Bench) -> None:
        bench.child.ready()
        [ready] = await bench.supervisor.receive(1)
        assert ready == Ready(pid=os.getpid(), role="worker", slot=3, boot=bench.child.boot)

    play(scenario)


def test_a_heartbeat_leaves_at_once_and_again(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "HEARTBEAT_S", 0.01)

    async def scenario(bench: Bench) -> None:
        n = 0

        def stats() -> Heartbeat:
            nonlocal n
            n += 1
            return Heartbeat(Stats(counters={"beats": n}))

        bench.child.start_heartbeat(stats)
        beats = await bench.supervisor.receive(3)
        assert [beat.stats.counters["beats"] for beat in beats if isinstance(beat, Heartbeat)][:3] == [1, 2, 3]

    play(scenario)


def test_a_fault_in_counting_repeats_the_last_heartbeat(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "HEARTBEAT_S", 0.01)

    async def scenario(bench: Bench) -> None:
        beats = iter([Heartbeat(Stats(), note="good")])
        bench.child.start_heartbeat(lambda: next(beats))
        got = await bench.supervisor.receive(3)
        assert [beat.note for beat in got[:3] if isinstance(beat, Heartbeat)] == ["good"] * 3

    play(scenario)


def test_heartbeats_to_a_supervisor_that_does_not_read_are_left_out(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "MAX_UNSENT", 1)

    async def scenario(bench: Bench) -> None:
        big = Heartbeat(Stats(counters={"x" * 1000: 1.0}), note="y" * 1_000_000)
        for _ in range(50):
            bench.child.start_heartbeat(lambda: big)
        transport = bench.child._transport
        assert transport is not None
        assert transport.get_write_buffer_size() < 2_100_000
        bench.child.close()
        await bench.supervisor.until_eof()

    play(scenario)


def test_the_supervisors_end_is_told_once(play: Play) -> None:
    async def scenario(bench: Bench) -> None:
        bench.supervisor.sock.shutdown(socket.SHUT_RDWR)
        await asyncio.wait_for(bench.child.wait_closed(), 60)
        bench.child.send(Drained())
        bench.child.close()
        assert bench.orphaned == 1

    play(scenario)


@pytest.mark.parametrize("nonsense", [b"\xff" * 64, pack(Commit(666))], ids=["no message of ours", "callback raises"])
def test_a_fault_ends_the_socket_and_the_child_is_orphaned(play: Play, nonsense: bytes) -> None:
    async def scenario(bench: Bench) -> None:
        await asyncio.get_running_loop().sock_sendall(bench.supervisor.sock, nonsense)
        await asyncio.wait_for(bench.child.wait_closed(), 60)
        assert bench.orphaned == 1

    play(scenario)


def test_close_lets_the_last_words_out_and_is_no_orphaning(play: Play) -> None:
    async def scenario(bench: Bench) -> None:
        bench.child.send(Drained())
        bench.child.close()
        await asyncio.wait_for(bench.child.wait_closed(), 60)
        await bench.supervisor.until_eof()
        assert bench.supervisor.got == [Drained()]
        assert bench.orphaned == 0

    play(scenario)


IGNORING = """
import os, signal
from shadowproxy.wire.child import COMMANDED, ignore_signals
for number in COMMANDED:          # pending from before the call, as when the supervisor blocked them
    os.kill(os.getpid(), number)
ignore_signals()
for number in (*COMMANDED, signal.SIGPIPE):
    os.kill(os.getpid(), number)
print("alive", sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
"""


def test_signals_to_the_group_do_nothing_even_when_they_came_before_the_call() -> None:
    old = signal.pthread_sigmask(signal.SIG_BLOCK, child_module.COMMANDED)
    try:
        process = subprocess.Popen([sys.executable, "-c", IGNORING], stdout=subprocess.PIPE, text=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "alive []\n")


async def test_closing_an_unconnected_child_ends_it() -> None:
    child = Child(-1, "admin", 0, lambda message: None, lambda: None)
    child.close()
    await asyncio.wait_for(child.wait_closed(), 60)
    assert child.boot > 0
