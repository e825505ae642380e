"""Which build of shadowproxy runs: the compiled one, where `make compiled` has made it of these sources.

It lies in a directory of its own, so that a checkout that is worked on never runs what was compiled of other sources.
SHADOWPROXY_BUILD=source runs the sources as they are, interpreted.
"""

from __future__ import annotations

import filecmp
import os
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

import shadowproxy

_CLONE: Final = Path(__file__).resolve().parents[1]
COMPILED: Final = Path(sys.prefix, "compiled")


@cache
def why_not(built: Path = COMPILED, sources: Path = _CLONE) -> str:
    """Why the sources run and not what was compiled of them, "" where that runs."""
    if os.environ.get("SHADOWPROXY_BUILD") == "source":
        return "SHADOWPROXY_BUILD=source"
    if not (built / "shadowproxy").is_dir():
        return "nothing is compiled yet: make compiled"
    if not any((built / "shadowproxy").rglob(f"*{EXTENSION_SUFFIXES[0]}")):
        return "no C compiler was found for this Python"
    ours = _modules(sources)
    same, _, _ = filecmp.cmpfiles(sources, built, ours, shallow=False)
    if len(same) < len(ours) or ours != _modules(built):
        return "what is compiled is of other sources: make compiled"
    return ""


def _modules(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in (place / "shadowproxy").rglob("*.py"))


def environment() -> dict[str, str]:
    """For a process that runs shadowproxy: this clone, and the compiled build before it where there is one."""
    return interpreted() if why_not() else _searching(COMPILED, _CLONE)


def interpreted() -> dict[str, str]:
    """For a process that runs this clone's sources, whatever is compiled."""
    return _searching(_CLONE)


def _searching(*places: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONSAFEPATH": "1"}


def name() -> str:
    """Of the build that this process runs, as a table says it."""
    return "compiled" if Path(shadowproxy.__file__).is_relative_to(COMPILED) else "not compiled"


def prefer_compiled() -> None:
    """Begin `python -m bench…` again with the compiled build, unless it runs already or there is none."""
    program = sys.modules["__main__"].__spec__
    if program is None or program.name.partition(".")[0] != "bench" or name() == "compiled":
        return
    if reason := why_not():
        print(f"the proxy is interpreted, not compiled: {reason}", file=sys.stderr)
        return
    os.execve(
        sys.executable, [sys.executable, "-m", program.name.removesuffix(".__main__"), *sys.argv[1:]], environment()
    )


if __name__ == "__main__":
    print(f"not compiled: {reason}" if (reason := why_not()) else f"compiled: {COMPILED}")
