"""The product as its users start it: `python -m shadowproxy run`, with a file, in processes of its own.

Ports are reserved by a bound socket that never listens (SO_REUSEADDR and SO_REUSEPORT), so that tests need not know how
the product announces its addresses and no other process can take them.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from bench import builds
from tests.support.ledger import Log, assert_laws, read_log
from tests.support.processes import Process, family, is_alive
from tests.support.until import until

_ROLES = {"worker": "shadowproxy.proxy", "recorder": "shadowproxy.recorder", "admin": "shadowproxy.admin"}

# What a test proxy does unlike the defaults: it ends at once, its log is written at once, and it bears a machine on
# which tests want more than there is: no copy is given up for that, and a handshake may take its time.
_QUICK: dict[str, Any] = {
    "production": {"timeouts": {"connect": "10s"}},
    "mirror": {"shed": False},
    "limits": {"drain_delay": "0s"},
    "pairs": {"flush": "50ms"},
    "statistics": {"warmup": "0s"},
}


def reserve() -> socket.socket:
    """A socket that keeps a free port of 127.0.0.1 for somebody else to listen on."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


class Proxy:
    """A running shadowproxy. As a context manager it stops in good order and asserts what every run owes:

    exit 0, no process left, no traceback or error event on stderr, and the laws of the ledger.
    """

    def __init__(
        self, folder: Path, config: dict[str, Any], *, allowed: str = "", start: bool = True, steered: bool = False
    ) -> None:
        """`allowed`: a regular expression for the stderr lines of level error that this test expects.

        `steered`: see `assert_laws`.
        """
        self._steered = steered
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._listening, self._administering = reserve(), reserve()
        self.address: tuple[str, int] = self._listening.getsockname()
        self.admin_address: tuple[str, int] = self._administering.getsockname()
        self.pairs = folder / "pairs"
        own = {
            "listen": f"127.0.0.1:{self.address[1]}",
            "admin": {"listen": f"127.0.0.1:{self.admin_address[1]}"},
            "state": str(folder / "state"),
            "pairs": {"dir": str(self.pairs)},
        }
        self.config = merged(merged(_QUICK, own), config)
        self.file = folder / "shadowproxy.yaml"
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False))
        self._allowed = re.compile(allowed) if allowed else None
        self._stderr: list[str] = []
        self._seen: dict[int, Process] = {}
        self.process: subprocess.Popen[str] | None = None
        if start:
            self.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        try:
            if kind is not None:
                self.kill()
            elif self.process is not None:
                self.stop()
        finally:
            self._listening.close()
            self._administering.close()

    # -- start, stop -----------------------------------------------------------------------------------------------

    def start(self, ready_within_s: float = 60.0) -> None:
        command = [sys.executable, "-m", "shadowproxy", "run", "-c", str(self.file), "--log-format", "json"]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=builds.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._collect, args=(self.process,), name="stderr", daemon=True).start()
        try:
            self.wait_ready(ready_within_s)
        except BaseException:
            self.kill()
            raise

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._stderr.append(line.rstrip("\n"))
        process.stdout.close()

    def wait_ready(self, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while self.admin_status("/readyz") != 200:
            assert self.pid_is_alive, f"the proxy ended before it was ready:\n{self.stderr}"
            assert time.monotonic() < deadline, f"not ready within {within_s} s:\n{self.stderr}"
            threading.Event().wait(0.02)
        self._note_family()

    def signal(self, number: int, *, group: bool = False) -> None:
        self._note_family()
        (os.killpg if group else os.kill)(self.pid, number)

    def wait(self, within_s: float = 60.0) -> int:
        """The exit code, once the parent and all that it started are gone."""
        assert self.process is not None
        try:
            code = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            left = family(self.pid)
            self.kill()
            raise AssertionError(f"no exit within {within_s} s, left: {left}\n{self.stderr}") from None
        left = self._left()
        until(lambda: not self._left(), 5, f"processes left behind: {left}")
        return code

    def stop(self, within_s: float = 60.0) -> Log:
        """SIGTERM, and everything that a run owes at its end."""
        self.signal(signal.SIGTERM)
        return self.end(within_s)

    def end(self, within_s: float = 60.0) -> Log:
        """Wait for a good end that somebody else asked for, and assert what a run owes."""
        code = self.wait(within_s)
        self.process = None
        assert code == 0, f"exit code {code}\n{self.stderr}"
        self.assert_quiet()
        return assert_laws(self.pairs, steered=self._steered)

    def kill(self) -> None:
        """SIGKILL for every process of this proxy."""
        if self.process is None:
            return
        self._note_family()
        for pid in [self.process.pid, *self._left()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(40)
        until(lambda: not self._left(), 10, "killed processes are still there")
        self.process = None

    # -- what it is made of ----------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self.process is not None, "the proxy is not running"
        return self.process.pid

    @property
    def pid_is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_address[1]}"

    def pids(self, role: str) -> list[int]:
        """Living processes of a role: worker, recorder or admin."""
        return sorted(process.pid for process in family(self.pid) if f"-m {_ROLES[role]}" in process.command)

    def worker(self) -> int:
        (pid,) = self.pids("worker")
        return pid

    def kill_one(self, role: str) -> int:
        """SIGKILL one process of a role, and say which it was."""
        pid = until(lambda: self.pids(role), 10, f"a {role} to kill")[0]
        self._note_family()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), 5, f"the death of {role} {pid}")
        return pid

    def _note_family(self) -> None:
        self._seen.update({process.pid: process for process in family(self.pid)})

    def _left(self) -> list[int]:
        now = {process.pid for process in family(self._group)} if self._group else set()
        seen = {pid for pid, was in self._seen.items() if is_alive(pid) and _command(pid) == was.command}
        return sorted(now | seen)

    @property
    def _group(self) -> int:
        return self.process.pid if self.process is not None else 0

    # -- what it says ----------------------------------------------------------------------------------------------

    @property
    def stderr(self) -> str:
        return "\n".join(self._stderr)

    def events(self) -> list[dict[str, Any]]:
        """The structured lines of stderr."""
        found = []
        for line in list(self._stderr):
            if line.startswith("{"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    def assert_quiet(self) -> None:
        """No traceback, and no event of level error or worse but the expected ones."""
        assert "Traceback" not in self.stderr, self.stderr
        assert "Exception ignored" not in self.stderr, self.stderr
        assert "Task was destroyed" not in self.stderr, self.stderr
        loud = [
            line
            for line in self._stderr
            if re.search(r'"level": ?"(error|critical)"', line) and not (self._allowed and self._allowed.search(line))
        ]
        assert not loud, "\n".join(loud)

    def admin_get(self, path: str, timeout_s: float = 20.0) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self.admin_address, timeout=timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def admin_status(self, path: str) -> int:
        """The status of an admin path, 0 while nobody listens."""
        try:
            return self.admin_get(path)[0]
        except (OSError, http.client.HTTPException):
            return 0

    def status(self) -> dict[str, Any]:
        """The page /api/v1/status, once there is one: where the supervisor is late, the admin says so instead."""
        return until(self._status, what="the status")

    def _status(self) -> dict[str, Any]:
        status, body = self.admin_get("/api/v1/status")
        told: dict[str, Any] = json.loads(body) if status == 200 else {}
        return told

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name and labels."""
        samples = {}
        for line in self.admin_get("/metrics")[1].decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    # -- what it wrote ---------------------------------------------------------------------------------------------

    def log(self) -> Log:
        return read_log(self.pairs)

    def wait_pairs(self, count: int, within_s: float = 15.0) -> Log:
        """Until the log holds `count` pairs; where they do not come, the failure says what the ledger says of them."""
        try:
            until(lambda: len(self.log().pairs) >= count, within_s, f"{count} pairs in the log", step_s=0.05)
        except AssertionError as late:
            log = self.log()
            rows = "\n".join(str(row) for row in log.last_rows().values())
            raise AssertionError(f"{late}: there are {len(log.pairs)}\n{rows}\n{self.stderr}") from None
        return self.log()


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
