"""Where a run of the demo leaves what it made: a fresh directory each time, never one with an older log in it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import yaml

_HEAD: Final = """\
# What `shadowproxy demo` ran the proxy with. The model servers that it names ended with the demo.
"""


class Folder:
    """`pairs`: the pair log. `labels`: the true digits by request id. `configuration`, `log`: the proxy's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pairs = path / "pairs"
        self.labels = path / "labels.csv"
        self.configuration = path / "shadowproxy.yaml"
        self.log = path / "proxy.log"

    def write(self, configuration: dict[str, Any]) -> None:
        self.configuration.write_text(_HEAD + yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True))

    def discard(self) -> None:
        """Nothing of worth came into being: remove it, and what it lies in if nothing else does."""
        shutil.rmtree(self.path, ignore_errors=True)
        if not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()


def fresh(within: Path, now: datetime) -> Folder:
    """A new directory, named by the time, inside `within`. OSError where it cannot be made."""
    within.mkdir(parents=True, exist_ok=True)
    for name in _names(now):
        path = within.absolute() / name
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return Folder(path)
    raise AssertionError("names never end")


def _names(now: datetime) -> Iterator[str]:
    stamp = now.strftime("%Y%m%d-%H%M%S")
    yield stamp
    yield from (f"{stamp}-{nth}" for nth in count(2))


def spelled(path: Path) -> str:
    """As one would type it in a shell here."""
    here = Path(os.path.relpath(path))
    return shlex.quote(str(path if here.parts[:1] == ("..",) else here))
