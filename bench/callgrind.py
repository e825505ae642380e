"""A program under valgrind's callgrind: instructions and system calls, cut into stretches while it runs.

Only what the program executes itself is counted, not the kernel's work for it. The format of a dump:
https://valgrind.org/docs/manual/cl-format.html
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.failure import MeasurementError

_CONTROL_S = 30.0
_STOP_S = 60.0
_TOOLS = ("valgrind", "callgrind_control")
_OPTIONS = (
    "--tool=callgrind",
    "--instr-atstart=no",  # the start is of no interest, and quicker so
    "--collect-systime=yes",
    "--compress-strings=no",
    "--compress-pos=no",
)
_COST = re.compile(rb"^(?:0x)?[0-9a-f]+((?: [0-9]+)*)\s*$")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted between two cuts; `functions` is the instructions of each function without its callees."""

    instructions: int
    system_calls: int
    functions: dict[str, int]


def missing() -> list[str]:
    """The programs that are not installed here."""
    return [tool for tool in _TOOLS if shutil.which(tool) is None]


def is_asleep(pid: int) -> bool:
    """True while a process with one thread waits in the kernel."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("S")


class Counted:
    """A running program. `cut()` ends a stretch and begins the next."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self.pid = process.pid
        self._out = out
        self._cuts = 0

    def begin(self) -> None:
        self._tell("--instr=on")
        self.cut()

    def cut(self) -> Stretch:
        self._cuts += 1
        self._tell("--dump")
        return read(Path(f"{self._out}.{self._cuts}").read_bytes())

    def is_asleep(self) -> bool:
        """True while the program waits in the kernel: what it was told to do before, it has done."""
        return is_asleep(self.pid)

    def _tell(self, order: str) -> None:
        done = subprocess.run(
            ["callgrind_control", order, str(self.pid)], capture_output=True, text=True, timeout=_CONTROL_S, check=False
        )
        if "OK." not in done.stdout:
            raise MeasurementError(f"callgrind_control {order} did not work: {done.stdout}{done.stderr}")


@contextmanager
def counted(command: Sequence[str], place: Path, fds: Sequence[int], environment: dict[str, str]) -> Iterator[Counted]:
    """Runs the command with these descriptors; what it says is in `place`/stderr. Kills it at the end."""
    out = place / "callgrind"
    with (place / "stderr").open("ab") as sink:
        process = subprocess.Popen(
            ["valgrind", *_OPTIONS, f"--callgrind-out-file={out}", *command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            pass_fds=fds,
            env=environment,
        )
    try:
        yield Counted(process, out)
    finally:
        process.kill()
        process.wait(_STOP_S)


def read(dump: bytes) -> Stretch:
    """Raises MeasurementError for what is no dump of ours."""
    functions: dict[str, int] = {}
    totals = [0, 0]
    name, skip = "", False
    for line in dump.splitlines():
        if line.startswith(b"fn="):
            # A function that calls itself comes as f, f'2, …: the same to us.
            name = line[3:].decode(errors="replace").partition("'")[0]
        elif line.startswith(b"calls="):
            skip = True  # the line that follows is the callee's cost
        elif line.startswith(b"totals:"):
            totals = [int(word) for word in line.split()[1:3]]
        elif name and (cost := _COST.match(line)):
            own = cost[1].split()
            if own and not skip:
                functions[name] = functions.get(name, 0) + int(own[0])
            skip = False
    if not dump.startswith(b"# callgrind format"):
        raise MeasurementError(f"no callgrind dump: {dump[:80]!r}")
    return Stretch(totals[0], totals[1] if len(totals) > 1 else 0, functions)
