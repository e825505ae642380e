"""The demo from beginning to end: train → serve → proxy → traffic → drain → report → what to try next.

Whatever happens on the way, Ctrl-C at any point too, no process and no temporary file is left. What is kept is the
folder with the pair log, unless that is empty.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from shadowproxy.demo import words
from shadowproxy.demo.cast import BETTER, CAST, PRODUCTION, configuration
from shadowproxy.demo.children import Child, Children
from shadowproxy.demo.errors import DemoError
from shadowproxy.demo.folder import Folder, fresh, spelled
from shadowproxy.demo.screen import Screen
from shadowproxy.demo.traffic import RATE_PER_S, Clients, Traffic, ask_directly, bodies
from shadowproxy.demo.training import SEED, Measured, read_traffic

_PATIENCE_S: Final = 120.0  # for training and for the start of a process, on a busy machine
_DRAIN_S: Final = 40.0
_LOOK_S: Final = 0.1
_REPORTED: Final = (0, 1, 3)  # whatever the verdict

_DISAGREED: Final = f"SELECT id FROM pairs WHERE candidate = '{BETTER}' AND NOT agrees ORDER BY ts LIMIT 1"


@dataclass(frozen=True, slots=True)
class Wishes:
    duration_s: float = 20.0
    keep_running: bool = False
    directory: Path = Path("shadow-demo")
    listen: str = "127.0.0.1:0"


def play(wishes: Wishes) -> None:
    """Raises DemoError with a sentence, and KeyboardInterrupt after SIGINT, SIGTERM or SIGHUP."""
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="shadowproxy-demo-") as scratch:
        asyncio.run(_guarded(wishes, screen, Path(scratch)))


async def _guarded(wishes: Wishes, screen: Screen, scratch: Path) -> None:
    """The whole demo; being told to end is passed on as KeyboardInterrupt once everything has ended."""
    told = False
    acting = asyncio.current_task()
    assert acting is not None

    def end() -> None:
        nonlocal told
        told = True
        acting.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)
    with Children(scratch) as children:
        try:
            await _Demo(wishes, screen, scratch, children).run()
        except asyncio.CancelledError:
            if told:
                raise KeyboardInterrupt from None
            raise


class _Demo:
    def __init__(self, wishes: Wishes, screen: Screen, scratch: Path, children: Children) -> None:
        self._wishes = wishes
        self._screen = screen
        self._scratch = scratch
        self._children = children

    async def run(self) -> None:
        try:
            await self._train()
            ports = await self._serve()
            async with self._folder() as folder:
                await self._mirror(folder, ports)
        finally:
            await self._children.stop()

    async def _train(self) -> None:
        self._screen.say("Training a logistic regression and an SVM on the digits that ship with scikit-learn …")
        child = await self._children.start("the training", "shadowproxy.demo.training", [str(self._scratch)])
        measured = Measured(**json.loads(await child.first_line(_PATIENCE_S)))
        await child.wait()
        self._screen.say(words.trained(measured))

    async def _serve(self) -> dict[str, int]:
        """The port of each model server, once all are ready."""
        servers = [
            await self._children.start(
                f"the model server {part.name}",
                "shadowproxy.demo.server",
                part.arguments(self._scratch, seed),
                stdin=PIPE,
                lasting=True,
            )
            for seed, part in enumerate(CAST)
        ]
        lines = await asyncio.gather(*(server.first_line(_PATIENCE_S) for server in servers))
        ports = {part.name: int(line.split()[1]) for part, line in zip(CAST, lines, strict=True)}
        where = " · ".join(f"{name} {port}" for name, port in ports.items())
        self._screen.say(f"Four model servers on 127.0.0.1: {where}")
        return ports

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Folder]:
        """Kept when it holds a log, which is known once the proxy has ended."""
        folder = fresh(self._wishes.directory, datetime.now())
        try:
            yield folder
        finally:
            try:
                await self._children.stop()
            finally:
                if any(folder.pairs.glob("pairs-*")):
                    self._screen.say(f"Everything is in {spelled(folder.path)}.")
                else:
                    folder.discard()

    async def _mirror(self, folder: Folder, ports: dict[str, int]) -> None:
        digits = read_traffic(self._scratch)
        requests = bodies(digits)
        async with Clients() as clients:
            expected = await ask_directly(clients, f"127.0.0.1:{ports[PRODUCTION]}", requests)
            folder.write(configuration(ports, folder.path, self._wishes.listen))
            proxy, facts = await self._start_proxy(folder)
            with folder.labels.open("w", encoding="utf-8") as labels:
                traffic = Traffic(clients, facts["listen"], digits, requests, expected, labels, SEED)
                await self._under_traffic(traffic, folder, proxy, f"http://{facts['admin']}/")

    async def _start_proxy(self, folder: Folder) -> tuple[Child, dict[str, Any]]:
        """The proxy and the facts of its event `proxy.ready`."""
        arguments = ["run", "-c", str(folder.configuration), "--log-format", "json"]
        proxy = await self._children.start(
            "the proxy", "shadowproxy", arguments, log=folder.log, lasting=True, end_within_s=_DRAIN_S
        )
        deadline_s = time.monotonic() + _PATIENCE_S
        while (facts := _event(folder.log, "proxy.ready")) is None:
            if proxy.ended:
                raise DemoError(proxy.obituary())
            if time.monotonic() > deadline_s:
                raise DemoError(f"the proxy was not ready within {_PATIENCE_S:g} s; see {folder.log}")
            await asyncio.sleep(_LOOK_S)
        self._screen.say(f"The proxy: http://{facts['listen']}, the dashboard: http://{facts['admin']}/")
        return proxy, facts

    async def _under_traffic(self, traffic: Traffic, folder: Folder, proxy: Child, dashboard: str) -> None:
        sending = asyncio.create_task(traffic.run(), name="demo.traffic")
        try:
            started_s = time.perf_counter()
            await self._watch(traffic, sending, self._wishes.duration_s)
            seconds = time.perf_counter() - started_s
            if self._wishes.keep_running:
                traffic.flush_labels()
            else:
                traffic.stop()
                await sending
                await self._drain(proxy)
            await self._tell(folder, words.fidelity(traffic.tally, seconds))
            if self._wishes.keep_running:
                self._screen.say(f"Traffic and proxy stay on. The dashboard: {dashboard} Ctrl-C ends them.")
                await self._watch(traffic, sending, None)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _watch(self, traffic: Traffic, sending: asyncio.Task[None], for_s: float | None) -> None:
        """Show the traffic for so long, or without end; DemoError when traffic or a process ends meanwhile."""
        until_s = time.perf_counter() + for_s if for_s is not None else None
        total = round(for_s * RATE_PER_S) if for_s is not None else None
        with self._screen.progress("Requests", total) as advance:
            while until_s is None or time.perf_counter() < until_s:
                await asyncio.wait([sending], timeout=_LOOK_S)
                if sending.done():
                    sending.result()
                self._children.check()
                advance(traffic.tally.sent)

    async def _drain(self, proxy: Child) -> None:
        if not await proxy.stop():
            raise DemoError(f"the proxy did not drain within {_DRAIN_S:g} s and was killed; see {proxy.log}")
        if await proxy.wait() != 0:
            raise DemoError(proxy.obituary())

    async def _tell(self, folder: Folder, fidelity: str) -> None:
        """The report, whether clients noticed, and what to try next: on stdout."""
        arguments = [str(folder.pairs), "--labels", str(folder.labels), "--on", "id", "-c", str(folder.configuration)]
        report = await self._children.start("the report", "shadowproxy", ["report", *arguments], stdout=None)
        if await report.wait() not in _REPORTED:
            raise DemoError(report.obituary())
        for line in report.said():
            self._screen.say(line)
        example = await self._example(folder)
        print("\n".join(["", fidelity, "", *words.try_next(folder, example)]), flush=True)

    async def _example(self, folder: Folder) -> str:
        """The id of a request on which the better model disagrees; of the first, should it never have."""
        asked = ["sql", _DISAGREED, str(folder.pairs), "--format", "json"]
        child = await self._children.start("the query", "shadowproxy", asked)
        rows = json.loads(await child.read_all() or "[]")
        return str(rows[0]["id"]) if rows else "digit-000001"


def _event(log: Path, name: str) -> dict[str, Any] | None:
    """The fields of the first event of that name in a log of JSON lines."""
    for line in log.read_text(errors="replace").split("\n")[:-1]:
        if name in line and line.startswith("{"):
            event: dict[str, Any] = json.loads(line)
            if event.get("event") == name:
                return event
    return None
