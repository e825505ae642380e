"""The demo's processes: none outlives it.

Each child leads a session of its own, so that a Ctrl-C on the terminal reaches only the demo, which then ends its
children in order. What is still alive when `Children` closes gets another SIGTERM (the proxy's second means "at once")
and is then killed with everything that it started. If the demo itself is killed, the system sends each child a SIGTERM
(PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import shadowproxy
from shadowproxy.demo.errors import DemoError

_PR_SET_PDEATHSIG: Final = 1
_LAST_GRACE_S: Final = 3.0
_libc: Final = ctypes.CDLL(None)

# One thread each: nine processes that each start a thread a core only get in each other's way.
_ONE_THREAD: Final = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


class Child:
    """`name` is what messages call it. Its stderr goes to the file `log`. A `lasting` one never ends by itself."""

    def __init__(self, name: str, process: Process, log: Path, lasting: bool, end_within_s: float) -> None:
        self.name = name
        self.log = log
        self.lasting = lasting
        self._end_within_s = end_within_s
        self._process = process

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> int:
        return await self._process.wait()

    async def first_line(self, within_s: float) -> str:
        """The first line that it prints; DemoError when it ends, or the time does, before there is one."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), within_s)
        except TimeoutError:
            raise DemoError(f"{self.name} said nothing for {within_s:g} s") from None
        if not line.endswith(b"\n"):
            await self.wait()
            raise DemoError(self.obituary())
        return line.decode().strip()

    async def read_all(self) -> bytes:
        """Everything that it prints, once it has ended."""
        printed, _ = await self._process.communicate()
        return printed

    async def stop(self) -> bool:
        """SIGTERM, and SIGKILL when that did not end it in time; False then."""
        self.terminate()
        try:
            await asyncio.wait_for(self.wait(), self._end_within_s)
        except TimeoutError:
            self.kill()
            await self.wait()
            return False
        return True

    def terminate(self) -> None:
        if not self.ended:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """The child and whatever it started."""
        if not self.ended:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def is_alive(self) -> bool:
        """As the system knows it, also when no event loop runs any more that could hear of its end."""
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def obituary(self) -> str:
        """How it ended, with its last line of stderr."""
        said = self.said()
        why = said[-1].strip() if said else "it did not say why"
        return f"{self.name} ended (exit status {self._process.returncode}): {why}"

    def said(self) -> list[str]:
        """The lines of its stderr that are not blank."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]


class Children:
    """Starts children; as a context manager it leaves none behind."""

    def __init__(self, logs: Path) -> None:
        """`logs`: the directory for the stderr of children that are given no file of their own."""
        self._logs = logs
        self._all: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = [child for child in self._all if not child.ended]
        for child in left:
            child.terminate()
        deadline_s = time.monotonic() + _LAST_GRACE_S
        while any(child.is_alive() for child in left) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        for child in left:
            child.kill()

    async def start(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        *,
        stdout: int | IO[str] | None = PIPE,
        stdin: int = DEVNULL,
        log: Path | None = None,
        lasting: bool = False,
        end_within_s: float = 10.0,
    ) -> Child:
        """Run `python -m module arguments…`. A stdin of PIPE stays open for as long as we live."""
        log = log or self._logs / f"{name.replace(' ', '-')}.stderr"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                # -P: a file of the working directory that is named like a module is not one.
                *(sys.executable, "-P", "-m", module, *arguments),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=_environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        child = Child(name, process, log, lasting, end_within_s)
        self._all.append(child)
        return child

    def check(self) -> None:
        """DemoError when one that should run on has ended."""
        for child in self._all:
            if child.lasting and child.ended:
                raise DemoError(child.obituary())

    async def stop(self) -> None:
        """All of them, last started first."""
        for child in reversed(self._all):
            await child.stop()


def _environment() -> dict[str, str]:
    root = str(Path(shadowproxy.__file__).parents[1])
    path = os.pathsep.join(entry for entry in (os.environ.get("PYTHONPATH"), root) if entry)
    return {**os.environ, **_ONE_THREAD, "PYTHONPATH": path}


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
