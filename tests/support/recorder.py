"""A real recorder process, and the supervisor's end of its control socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import builds
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire.messages import (
    Commit,
    Configure,
    Drain,
    Drained,
    Failed,
    Heartbeat,
    Prepare,
    Prepared,
    Ready,
    Stop,
    SupervisorInbox,
    ToChild,
    ToSupervisor,
    pack,
)
from tests.support.until import LEAST_S, until

_ROOT = Path(__file__).resolve().parents[2]
_COMMAND = (sys.executable, "-m", "shadowproxy.recorder")


class RecorderProcess:
    """The listening socket outlives the process, as the supervisor's does. Leaves no process behind."""

    def __init__(self, snapshot: settings.Snapshot, command: Sequence[str] = _COMMAND) -> None:
        self.snapshot = snapshot
        self._command = command
        self._folder = tempfile.TemporaryDirectory(prefix="recorder-")
        self.path = str(Path(self._folder.name) / "recorder.sock")
        self._listen = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listen.bind(self.path)
        self._listen.listen(64)
        self._listen.setblocking(False)
        self.events: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self.got: list[ToSupervisor] = []
        self._threads: list[threading.Thread] = []
        self.process: subprocess.Popen[str] | None = None
        self.control: socket.socket | None = None

    def __enter__(self) -> RecorderProcess:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.kill()
        self._listen.close()
        self._folder.cleanup()

    def start(self, ready: bool = True) -> RecorderProcess:
        ours, theirs = socket.socketpair()
        self.got = []
        self.process = subprocess.Popen(
            [*self._command, "--slot", "0", "--control", str(theirs.fileno()), "--listen", str(self._listen.fileno())],
            cwd=_ROOT,
            env=builds.environment(),
            pass_fds=(theirs.fileno(), self._listen.fileno()),
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        self.control = ours
        self._threads = [
            threading.Thread(target=work, args=(source,), name=name, daemon=True)
            for name, work, source in (
                ("stderr", self._collect, self.process.stderr),
                ("control", self._receive, ours),
            )
        ]
        for thread in self._threads:
            thread.start()
        self.send(Configure(settings.encode(self.snapshot)))
        if ready:
            self.message(Ready)
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    # -- what it says ----------------------------------------------------------------------------------------------

    def _collect(self, stream: Any) -> None:
        with stream:
            for line in stream:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.noise.append(line)

    def _receive(self, control: socket.socket) -> None:
        inbox = SupervisorInbox()
        while True:
            try:
                data = control.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            self.got += inbox.feed(data)

    def message(self, kind: type[Any], within_s: float = 15.0) -> Any:
        """The last message of a kind, waited for."""

        def found() -> Any:
            assert kind is Failed or not any(isinstance(m, Failed) for m in self.got), self.got
            return next((m for m in reversed(self.got) if isinstance(m, kind)), None)

        return until(found, within_s, f"{kind.__name__} in {self.got[-3:]}, {self.noise[-20:]}")

    def heartbeat(self, after: int = 0) -> Heartbeat:
        """One that was sent after this call began."""
        seen = sum(isinstance(m, Heartbeat) for m in self.got) + after
        until(lambda: sum(isinstance(m, Heartbeat) for m in self.got) > seen + 1, 15, "the next heartbeats")
        beat = self.message(Heartbeat)
        assert isinstance(beat, Heartbeat)
        return beat

    def event(self, name: str, within_s: float = 10.0) -> dict[str, Any]:
        return until(
            lambda: next((e for e in list(self.events) if e.get("event") == name), None) or {},
            within_s,
            f"event {name} in {self.events} {self.noise}",
        )

    def count(self, name: str) -> int:
        return sum(event.get("event") == name for event in list(self.events))

    # -- what it is told -------------------------------------------------------------------------------------------

    def send(self, message: ToChild) -> None:
        assert self.control is not None
        self.control.sendall(pack(message))

    def change(self, snapshot: settings.Snapshot) -> str:
        """Prepare and, where that succeeds, commit; the reason why not."""
        before = sum(isinstance(m, Prepared) for m in self.got)
        self.send(Prepare(snapshot.generation, settings.encode(snapshot)))
        until(lambda: sum(isinstance(m, Prepared) for m in self.got) > before, 10, "Prepared")
        error = str(self.message(Prepared).error)
        if not error:
            self.send(Commit(snapshot.generation))
            self.snapshot = snapshot
        return error

    def drain(self, within_s: float = LEAST_S) -> int:
        self.send(Drain(0.0, 5.0))
        self.message(Drained, within_s)
        return self.wait(within_s)

    def stop(self, within_s: float = LEAST_S) -> int:
        self.send(Stop())
        return self.wait(within_s)

    def wait(self, within_s: float = LEAST_S) -> int:
        assert self.process is not None
        code = self.process.wait(within_s)
        self._join()
        return code

    def orphan(self) -> None:
        """The supervisor dies."""
        assert self.control is not None
        self.control.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(LEAST_S)
        self._join()

    def _join(self) -> None:
        if self.control is not None:
            self.control.close()
        for thread in self._threads:
            thread.join(LEAST_S)
        self.process = self.control = None
