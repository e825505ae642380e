"""What /proc says of a process and of all that it started."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    session: int
    state: str
    command: str


def processes() -> list[Process]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                found.append(_read(folder))
    return found


def _read(folder: Path) -> Process:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return Process(int(folder.name), int(fields[1]), int(fields[3]), fields[0], command)


def family(pid: int) -> list[Process]:
    """The living descendants of `pid` and whatever else is in its session; `pid` itself is not in it."""
    everyone = [process for process in processes() if process.state not in "ZX"]
    wanted, size = {pid}, 0
    while len(wanted) != size:
        size = len(wanted)
        wanted |= {process.pid for process in everyone if process.parent in wanted or process.session == pid}
    return [process for process in everyone if process.pid in wanted and process.pid != pid]


def is_alive(pid: int) -> bool:
    try:
        return _read(Path(f"/proc/{pid}")).state not in "ZX"
    except (OSError, ValueError, IndexError):
        return False


def memory_peak(pid: int) -> int:
    """The highest resident size so far, in bytes."""
    return _status(pid, "VmHWM") * 1024


def resident(pid: int) -> int:
    """Bytes."""
    return _status(pid, "VmRSS") * 1024


def threads(pid: int) -> int:
    return _status(pid, "Threads")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has no {name}")


def forget_memory_peak(pid: int) -> None:
    """From now on `memory_peak` counts from the present resident size."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_s(pid: int) -> float:
    """How long all threads of a process have been on a processor; 0 where it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
