"""A real carbon-cache in a folder of its own, and what it has written."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

from tests.support.proxy import reserve
from tests.support.tools import require
from tests.support.until import until

_CONFIG = """[cache]
STORAGE_DIR = {folder}
CONF_DIR = {folder}
LOG_DIR = {folder}/log
PID_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
USER =
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {port}
PICKLE_RECEIVER_PORT = 0
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = 0
ENABLE_UDP_LISTENER = False
ENABLE_LOGROTATION = False
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = 5000
ENABLE_TAGS = False
CARBON_METRIC_INTERVAL = 0
"""


class Carbon:
    """Its port is its own from the beginning to the end, also while it is away."""

    def __init__(self, folder: Path) -> None:
        self._command = require("carbon-cache", "graphite-carbon")
        self._fetch = require("whisper-fetch", "python3-whisper")
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._held = reserve()
        self.port: int = self._held.getsockname()[1]
        (folder / "carbon.conf").write_text(_CONFIG.format(folder=folder, port=self.port))
        (folder / "storage-schemas.conf").write_text("[all]\npattern = .*\nretentions = 1s:1h\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Carbon:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()
        self._held.close()

    def start(self) -> None:
        command = [self._command, f"--config={self._folder}/carbon.conf", "--nodaemon"]
        places = [f"--logdir={self._folder}", f"--pidfile={self._folder}/pid"]
        out = (self._folder / "out").open("ab")
        self._process = subprocess.Popen([*command, *places, "start"], stdout=out, stderr=subprocess.STDOUT)
        out.close()
        until(self._listens, 20, "carbon-cache", step_s=0.05)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "out").read_text()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def value(self, path: str) -> float | None:
        """The newest value of a metric, None while there is none."""
        file = self._folder / "whisper" / (path.replace(".", "/") + ".wsp")
        if not file.exists():
            return None
        command = [self._fetch, "--json", f"--from={int(time.time()) - 600}", str(file)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if told.returncode:  # half written
            return None
        values = [value for value in json.loads(told.stdout)["values"] if value is not None]
        return float(values[-1]) if values else None

    def paths(self) -> set[str]:
        root = self._folder / "whisper"
        return {".".join(file.relative_to(root).with_suffix("").parts) for file in root.rglob("*.wsp")}
