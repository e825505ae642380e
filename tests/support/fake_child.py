"""A child in place of worker, recorder or admin: speaks the control protocol, journals its life, misbehaves on demand.

    python -m tests.support.fake_child JOURNAL BEHAVIOUR ROLE --slot N --control FD --listen FD [--recorder PATH]

On the listening socket it answers each connection with one line: `ROLE SLOT PID GENERATION`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from shadowproxy.settings.snapshot import decode
from shadowproxy.wire.child import Child, ignore_signals
from shadowproxy.wire.messages import (
    Abort,
    Answer,
    Ask,
    Commit,
    Configure,
    Drain,
    Drained,
    Failed,
    Heartbeat,
    Hush,
    Prepare,
    Prepared,
    Stats,
    ToChild,
)


class FakeChild:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.role: str = arguments.role
        self.slot: int = arguments.slot
        self.behaviour: str = arguments.behaviour
        self.journal = Path(arguments.journal)
        self.generation = 0
        self.served = 0
        self.done = asyncio.Event()
        self.listen = socket.socket(fileno=arguments.listen)
        self.child = Child(arguments.control, self.role, self.slot, self.on_message, self.on_orphaned)
        self.status: dict[str, object] = {}

    def note(self, what: str) -> None:
        """Append one line in one write, so that lines of several processes do not mix."""
        line = f"{time.time():.6f} {self.role} {self.slot} {os.getpid()} {what}\n"
        with self.journal.open("ab", buffering=0) as file:
            file.write(line.encode())

    async def main(self) -> int:
        self.note("began")
        await self.child.connect()
        asyncio.get_running_loop().add_reader(self.listen, self.accept)
        await self.done.wait()
        self.child.close()
        await self.child.wait_closed()
        self.note("ended")
        return 0

    def accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self.listen.accept()
            with connection:
                self.served += 1
                connection.sendall(f"{self.role} {self.slot} {os.getpid()} {self.generation}\n".encode())

    # -- messages --------------------------------------------------------------------------------------------------

    def on_message(self, message: ToChild) -> None:
        if isinstance(message, Configure):
            self.configure(message)
        elif isinstance(message, Prepare):
            self.prepare(message)
        elif isinstance(message, Commit):
            self.generation = message.generation
            self.note(f"commit {message.generation}")
        elif isinstance(message, Abort):
            self.note(f"abort {message.generation}")
        elif isinstance(message, Hush):
            self.note(f"hush {' '.join(message.candidates)}")
        elif isinstance(message, Drain):
            self.drain(message)
        elif isinstance(message, Answer):
            self.note(f"answer {message.id} {message.ok} {message.body}")

    def configure(self, message: Configure) -> None:
        snapshot = decode(message.snapshot)
        self.generation = snapshot.generation
        self.note(f"configured {snapshot.generation} {snapshot.listen} {snapshot.limits.connections}")
        if self.behaviour == "fails":
            self.child.send(Failed("the disk is on fire"))
            asyncio.get_running_loop().call_later(0.05, os._exit, 3)
        elif self.behaviour == "late":
            asyncio.get_running_loop().call_later(1.5, self.begin)
        elif self.behaviour != "never ready":
            self.begin()

    def begin(self) -> None:
        self.child.ready()
        self.child.start_heartbeat(self.heartbeat)
        if self.behaviour == "asks":
            for number, verb in enumerate(("status", "readiness", "dance", "reload"), start=1):
                self.child.send(Ask(number, verb))
        elif self.behaviour == "leaves an orphan":
            # The shell ends at once: whoever is PID 1 inherits the rest, which ends when it is told to.
            os.system(f"(until test -e '{self.journal}.end'; do sleep 0.05; done) &")
        elif self.behaviour == "hangs up":
            asyncio.get_running_loop().call_later(0.3, self.child.close)

    def heartbeat(self) -> Heartbeat:
        stats = Stats(
            counters={"requests_total": float(self.served)},
            gauges={"connections": 1.0},
            ledger=[{"trial": "t", "candidate": "v2", "route": "r", "requests": self.served}],
        )
        return Heartbeat(stats, healthy=self.behaviour != "unhealthy", note=self.behaviour)

    def prepare(self, message: Prepare) -> None:
        self.note(f"prepare {message.generation}")
        if self.behaviour == "dies in prepare":
            os._exit(9)
        elif self.behaviour != "silent in prepare":
            answer = Prepared(message.generation, "no such upstream" if self.behaviour == "refuses" else "")
            delay_s = 3.0 if self.behaviour == "prepares late" else 0.0
            asyncio.get_running_loop().call_later(delay_s, self.child.send, answer)

    def drain(self, message: Drain) -> None:
        self.note(f"drain {message.delay_s:g} {message.grace_s:g}")
        if self.behaviour == "never drains":
            return
        self.child.send(Drained())
        self.done.set()

    def on_orphaned(self) -> None:
        self.note("orphaned")
        self.done.set()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("journal")
    parser.add_argument("behaviour")
    parser.add_argument("role")
    for name in ("--slot", "--control", "--listen"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--recorder")
    return parser.parse_args(arguments)


_AT_ONCE: dict[str, Callable[[], object]] = {"crashes": lambda: sys.exit("no module named model")}


def main() -> int:
    ignore_signals()
    arguments = parse(sys.argv[1:])
    _AT_ONCE.get(arguments.behaviour, int)()

    async def live() -> int:
        return await FakeChild(arguments).main()

    return asyncio.run(live())


if __name__ == "__main__":
    sys.exit(main())
