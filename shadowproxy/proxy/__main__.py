"""`python -m shadowproxy.proxy`: a worker, as the supervisor starts it."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys

import structlog
import uvloop

from shadowproxy import logs
from shadowproxy.proxy.descriptors import make_room
from shadowproxy.proxy.worker import Worker
from shadowproxy.settings.snapshot import decode
from shadowproxy.wire.child import Child, ignore_signals
from shadowproxy.wire.messages import (
    Abort,
    Commit,
    Configure,
    Drain,
    Drained,
    Failed,
    Heartbeat,
    Hush,
    Prepare,
    Prepared,
    Stop,
    ToChild,
)

log = structlog.get_logger()


class Life:
    """What the supervisor says, in the order in which it comes, done one after the other."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._listen: list[int] = arguments.listen
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving = False
        self._draining = False
        self.child = Child(arguments.control, "worker", arguments.slot, self.told, self.orphaned)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_internal_error)
        self.worker = Worker(arguments.slot, self.child.boot, arguments.recorder, loop)

    def told(self, message: ToChild) -> None:
        match message:
            case Configure(snapshot):
                self._task(self._begin(snapshot))
            case Prepare(generation, snapshot, warm):
                problem = self._prepare(snapshot)
                if warm and not problem:
                    self._task(self._warm(generation))
                else:
                    self.child.send(Prepared(generation, problem))
            case Commit(generation):
                self.worker.commit(generation)
            case Abort(generation):
                self.worker.abort(generation)
            case Hush(candidates):
                self.worker.hush(candidates)
            case Drain(delay_s, grace_s, last):
                self._task(self._drain(delay_s, grace_s, last))
            case Stop():
                self._ended.set()
            case _:
                pass

    def orphaned(self) -> None:
        """The supervisor is gone: finish what is in flight, then end."""
        if not self._serving:
            self._ended.set()
            return
        limits = self.worker.runtime.limits
        self._task(self._drain(0.0, limits.drain, last=True))

    def _task(self, coroutine: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, snapshot: bytes) -> None:
        settings = decode(snapshot)
        logs.configure(settings.log_format, settings.logs, process="worker", slot=self.child.slot)
        try:
            self.worker.configure(snapshot)
            await self.worker.serve(self._listen)
        except (OSError, ssl.SSLError) as e:
            self.child.send(Failed(str(e)))
            self._ended.set()
            return
        self._serving = True
        self.child.ready()
        self.child.start_heartbeat(self._heartbeat)

    def _heartbeat(self) -> Heartbeat:
        stats = self.worker.stats()
        stats.counters.update(logs.counters())
        return Heartbeat(stats, self.worker.is_healthy())

    def _prepare(self, snapshot: bytes) -> str:
        try:
            self.worker.prepare(snapshot)
        except (OSError, ssl.SSLError) as e:
            return str(e)
        return ""

    async def _warm(self, generation: int) -> None:
        self.child.send(Prepared(generation, await self.worker.warm()))

    async def _drain(self, delay_s: float, grace_s: float, last: bool) -> None:
        if self._draining:
            return
        self._draining = True
        if self._serving:
            await self.worker.drain(delay_s, grace_s, last=last)
        self.child.send(self._heartbeat())
        self.child.send(Drained())
        self._ended.set()

    async def run(self) -> None:
        await self.child.connect()
        await self._ended.wait()
        self.child.close()
        await self.child.wait_closed()


def _internal_error(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A bug of ours; the connection in which it showed is closed by the loop, the others go on."""
    error = context.get("exception")
    log.error("internal_error", message=str(context.get("message")), exc_info=error)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m shadowproxy.proxy")
    parser.add_argument("--slot", type=int, required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--listen", type=lambda text: [int(fd) for fd in text.split(",")], required=True)
    parser.add_argument("--recorder", required=True)
    ignore_signals()
    options = parser.parse_args(arguments)
    make_room()

    async def life() -> None:
        await Life(options).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(life())
    return 0


if __name__ == "__main__":
    sys.exit(main())
