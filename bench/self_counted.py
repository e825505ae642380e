"""A worker that counts itself (bench.counted_worker), and what it says when it is asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.builds import interpreted
from bench.callgrind import is_asleep
from bench.failure import MeasurementError
from bench.instructions import Stand

_PATIENCE_S = 30.0


class SelfCounted:
    def __init__(self, pid: int, said: Path) -> None:
        self._pid = pid
        self._said = said
        self._asked = 0

    def is_asleep(self) -> bool:
        return is_asleep(self._pid)

    def ask(self) -> Any:
        """What it has counted since it was asked last. Raises MeasurementError."""
        os.kill(self._pid, signal.SIGUSR1)
        self._asked += 1
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            lines = self._said.read_text(encoding="utf-8").splitlines(True) if self._said.exists() else []
            if len(lines) == self._asked and lines[-1].endswith("\n"):
                return json.loads(lines[-1])
            time.sleep(0.01)
        raise MeasurementError("the worker did not say what it had counted")


@contextmanager
def self_counted(stand: Stand, place: Path, what: str) -> Iterator[SelfCounted]:
    """The stand's worker, which has begun; `what` it counts is a name of bench.counted_worker."""
    said = place / "said"
    with (place / "stderr").open("wb") as sink:
        # What is compiled has no bytecodes, and fewer objects.
        environment = {**stand.environment, **interpreted(), what: str(said)}
        process = subprocess.Popen(stand.command, env=environment, pass_fds=stand.fds, stdout=sink, stderr=sink)
    try:
        stand.begin()
        yield SelfCounted(process.pid, said)
    finally:
        process.kill()
        process.wait()
