"""A real rsyslogd that takes lines over TCP (imtcp) and writes each as it came."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.support.proxy import reserve
from tests.support.tools import require
from tests.support.until import until

_CONFIG = """global(workDirectory="{folder}" maxMessageSize="1m")
module(load="imtcp")
template(name="as_it_came" type="string" string="%rawmsg%\\n")
ruleset(name="lines") {{ action(type="omfile" file="{folder}/lines" template="as_it_came") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="lines")
"""


class Rsyslog:
    """Its port is its own from the beginning to the end, also while it is away."""

    def __init__(self, folder: Path) -> None:
        self._program = require("rsyslogd", "rsyslog")
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._held = reserve()
        self.port: int = self._held.getsockname()[1]
        (folder / "rsyslog.conf").write_text(_CONFIG.format(folder=folder, port=self.port))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Rsyslog:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()
        self._held.close()

    def start(self) -> None:
        arguments = ["-n", "-f", str(self._folder / "rsyslog.conf"), "-i", str(self._folder / "pid")]
        self._process = subprocess.Popen([self._program, *arguments], stdout=subprocess.DEVNULL)
        until(self._listens, 10, "rsyslogd", step_s=0.05)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "rsyslogd ended"
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """SIGTERM: what it has taken it writes."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def lines(self) -> list[dict[str, Any]]:
        file = self._folder / "lines"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
