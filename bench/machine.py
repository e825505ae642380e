"""What a figure was measured on: without it the figure says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import shadowproxy

_LIBRARIES = ("uvloop", "httptools", "msgspec", "orjson")


def describe(nginx: str) -> dict[str, str]:
    """Machine and versions, in the order in which they are printed."""
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "shadowproxy": f"{shadowproxy.__version__} ({_revision()})",
        "Python": f"{platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "nginx": said.strip().rpartition("/")[2],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _revision() -> str:
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "no revision known"
    return done.stdout.strip() or "no revision known"
