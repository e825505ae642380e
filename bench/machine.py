"""What a figure was measured on: without it the figure says nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import shadowproxy
from bench import builds

_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
_LIBRARIES = ("uvloop", "httptools", "msgspec", "orjson")


def describe(*peers: str) -> dict[str, str]:
    """Machine and versions, in the order in which they are printed. `peers` are programs: "nginx", or a path to one."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "shadowproxy": f"{shadowproxy.__version__} ({_revision()})",
        "build": builds.name(),
        "Python": f"{platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        **{Path(peer).name: _version(peer) for peer in peers},
    }


def lines(facts: Mapping[str, str]) -> str:
    """One line each, as every table is introduced."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _version(program: str) -> str:
    """The first number with a point in what the program says of itself, however it likes to be asked."""
    for flag in ("-v", "--version"):
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
        if found := _VERSION.search(done.stdout + done.stderr):
            return found[0]
    return "version unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _revision() -> str:
    here = Path(__file__).parent
    try:
        revision = subprocess.run(
            ["git", "describe", "--always"], cwd=here, capture_output=True, text=True, check=False
        ).stdout.strip()
        # What a run writes into the documents does not make the code another one.
        code = [str(here), str(here.parent / "shadowproxy")]
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *code], cwd=here, check=False).returncode == 1
    except FileNotFoundError:
        return "no revision known"
    return f"{revision}-dirty" if changed else revision or "no revision known"
