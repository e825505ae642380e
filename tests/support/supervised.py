"""The real supervisor over fake children, as a program of its own and as what tests hold of it.

    python -m tests.support.supervised FOLDER

reads FOLDER/snapshot.json (again at each reload), FOLDER/commands.json and FOLDER/patience.json, and writes its events
as JSON lines to stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from shadowproxy.settings import snapshot as settings
from shadowproxy.supervisor.errors import RefusedError, StartError
from shadowproxy.supervisor.launch import COMMANDS, Launcher
from shadowproxy.supervisor.seat import Patience
from shadowproxy.supervisor.supervisor import Supervisor
from tests.support.processes import family, is_alive
from tests.support.until import LEAST_S, until

_ROOT = Path(__file__).resolve().parents[2]

# Only what a test waits out is shortened: nobody is given up because the machine is busy. Heartbeats come each second.
QUICK = {"start": 60.0, "worker_silence": 30.0, "first_backoff": 0.05, "prepare": 30.0}
SILENCE = {"worker_silence": 2.5}  # for the tests of what that is for


def _snapshot(folder: Path, **changes: Any) -> settings.Snapshot:
    own: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "workers": 2,
        "state": str(folder / "state"),
        "admin": settings.Admin(listen="127.0.0.1:0"),
        "production": settings.Production(urls=("http://127.0.0.1:1",), name="v1"),
        "candidates": (settings.Candidate(name="v2", url="http://127.0.0.1:2", sample=0.1),),
        "pairs": settings.Pairs(dir=str(folder / "pairs")),
        "limits": settings.Limits(drain_delay=0.0, drain=2.0, connections=1000),
    }
    return settings.Snapshot(**{**own, **changes})


class Supervised:
    """A running supervisor; as a context manager it leaves no process, whatever happened.

    Roles named in `real` are the product's own processes, the others fakes. `inside`: a program that starts it.
    """

    def __init__(
        self,
        folder: Path,
        behave: dict[str, str] | None = None,
        real: tuple[str, ...] = (),
        patience: dict[str, float] | None = None,
        inside: tuple[str, ...] = (),
        **changes: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.real = real
        self.journal = folder / "journal"
        self.journal.touch()
        self.behaviours = {role: (behave or {}).get(role, "well") for role in ("worker", "recorder", "admin")}
        self.commands = folder / "commands.json"
        self.behave()
        (folder / "patience.json").write_text(json.dumps({**QUICK, **(patience or {})}))
        self.configure(**changes)
        self.events: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self.seen: set[int] = set()
        self.process = subprocess.Popen(
            [*inside, sys.executable, "-m", "tests.support.supervised", str(folder)],
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": str(self._runtime())},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._collect, name="stderr", daemon=True)
        self._reader.start()

    def _runtime(self) -> Path:
        path = self.folder / "tmp"
        path.mkdir(exist_ok=True)
        return path

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *raised: object) -> None:
        self.note_family()
        for pid in [self.process.pid, *self.seen]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(LEAST_S)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

    # -- what it is given ------------------------------------------------------------------------------------------

    def behave(self, **roles: str) -> None:
        """How children that begin from now on behave."""
        self.behaviours.update(roles)
        folder = self.folder / "behaviour"
        folder.mkdir(exist_ok=True)
        commands = {}
        for role, behaviour in self.behaviours.items():
            (folder / role).write_text(behaviour)
            program = [sys.executable, "-m", "tests.support.fake_child", str(self.journal)]
            # The command line is fixed at the start; the behaviour is looked up when the child begins.
            commands[role] = ["sh", "-c", self._shell(program, role), str(folder / role)]
            if role in self.real:
                commands[role] = list(COMMANDS[role])
        self.commands.write_text(json.dumps(commands))

    @staticmethod
    def _shell(program: list[str], role: str) -> str:
        quoted = " ".join(f"'{part}'" for part in program)
        return f'exec {quoted} "$(cat "$0")" {role} "$@"'

    def configure(self, **changes: Any) -> None:
        (self.folder / "snapshot.json").write_bytes(settings.encode(_snapshot(self.folder, **changes)))

    # -- what it does ----------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self.noise.append(line.rstrip("\n"))

    def event(self, name: str, within_s: float = 15.0, **fields: Any) -> dict[str, Any]:
        """The first event of that name with those fields, waited for."""

        def found() -> dict[str, Any] | None:
            return next((e for e in list(self.events) if e["event"] == name and fields.items() <= e.items()), None)

        return until(found, within_s, f"event {name} {fields} in {self.events} {self.noise}")  # type: ignore[return-value]

    def ready(self) -> Supervised:
        self.event("proxy.ready")
        self.note_family()
        return self

    def note_family(self) -> None:
        self.seen |= {process.pid for process in family(self.process.pid)}

    def left(self) -> list[int]:
        return [pid for pid in self.seen if is_alive(pid)]

    def signal(self, number: int) -> None:
        self.note_family()
        os.kill(self.process.pid, number)

    def wait(self, within_s: float = LEAST_S) -> int:
        code = self.process.wait(within_s)
        until(lambda: not self.left(), 5, f"processes left behind: {self.left()}")
        self._reader.join(10)
        return code

    def entries(self) -> list[tuple[str, int, int, str]]:
        """The children's journal in the order of writing: role, slot, pid, what."""
        lines = [line.split(" ", 4) for line in self.journal.read_text().splitlines()]
        return [(role, int(slot), int(pid), what) for _, role, slot, pid, what in lines]

    def said(self, role: str, what: str) -> list[int]:
        """Pids of a role whose journal says so."""
        return [pid for who, _, pid, text in self.entries() if who == role and text.startswith(what)]

    def pids(self, role: str) -> list[int]:
        return [pid for pid in self.said(role, "configured") if is_alive(pid)]

    def ask(self) -> str:
        """What one connection to the proxy's address is answered."""
        host, port = self.event("proxy.ready")["listen"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=LEAST_S) as connection:
            return connection.makefile().readline()


def main() -> int:
    folder = Path(sys.argv[1])

    def load() -> settings.Snapshot:
        try:
            return settings.decode((folder / "snapshot.json").read_bytes())
        except msgspec.MsgspecError as e:
            raise RefusedError([str(e)]) from e

    def events(level: str, event: str, **fields: object) -> None:
        print(json.dumps({"level": level, "event": event, **fields}), file=sys.stderr, flush=True)

    def ready(snapshot: settings.Snapshot) -> None:
        events("info", "proxy.ready", listen=snapshot.listen, admin=snapshot.admin.listen)

    launcher = Launcher(json.loads((folder / "commands.json").read_text()))
    patience = Patience(**json.loads((folder / "patience.json").read_text()))
    try:
        return asyncio.run(Supervisor(load(), load, events, ready, launcher, patience).run())
    except StartError as e:
        events("error", "start.failed", why=str(e))
        return 4


if __name__ == "__main__":
    sys.exit(main())
