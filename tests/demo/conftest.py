"""The demo's models, trained once for all tests of this directory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shadowproxy.demo.training import LOGISTIC

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `python -m shadowproxy.demo.training` fills, with what it printed in `measured.json`."""
    directory = tmp_path_factory.mktemp("models")
    done = subprocess.run(
        [sys.executable, "-m", "shadowproxy.demo.training", str(directory)],
        cwd=ROOT,
        capture_output=True,
        timeout=200,
        check=True,
    )
    (directory / "measured.json").write_bytes(done.stdout)
    return directory


class Served:
    """A model server's process: `port` is where it listens."""

    def __init__(self, model: Path, version: str, *more: str) -> None:
        command = [sys.executable, "-m", "shadowproxy.demo.server", "--model", str(model)]
        self.process = subprocess.Popen(
            [*command, "--version", version, "--until-stdin-ends", *more],
            cwd=ROOT,
            env=ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        assert line[:1] == [b"ready"], self.process.communicate(timeout=60)[1].decode()
        self.port = int(line[1])

    def end(self) -> int:
        """Let go of its stdin; the exit code."""
        self.process.communicate(timeout=60)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def production(trained: Path) -> Iterator[Served]:
    server = Served(trained / LOGISTIC, "1")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def broken(trained: Path) -> Iterator[Served]:
    server = Served(trained / LOGISTIC, "3", "--broken", "--slower", "1.3")
    yield server
    server.kill()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]
