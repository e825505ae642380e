"""The build hook: what a request passes through is compiled by mypyc, where there is a C compiler.

The modules named below `compiled` in pyproject.toml are translated to C and go into the wheel beside their sources;
everything else, and everything where nothing compiles, runs interpreted: the same code, and dearer (docs/performance.md
says by how much). SHADOWPROXY_COMPILE says what a build does:

    auto    compile where a compiler and Python's headers are found, and say so where not (the default)
    1       compile, or fail
    0       do not: the wheel is the same for every platform

An editable install is never compiled: its sources are there to be changed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_WISH = "SHADOWPROXY_COMPILE"
_GROUP = "shadowproxy"  # of the one library that all compiled modules share: shadowproxy__mypyc
# Run in a process of its own and in another directory, for setuptools reads the pyproject.toml that it finds.
_SETUP = """
import json, sys
from mypyc.build import mypycify
from setuptools import setup

names, flags, group = json.load(sys.stdin)
setup(
    name=group,
    packages=[],
    ext_modules=mypycify([*flags, *names], opt_level="2", debug_level="0", group_name=group),
    script_args=["--quiet", "build_ext", "--build-lib", "built", "--build-temp", "temporary"],
)
"""
# What the modules import may be absent where they are built: its types are then unknown, and that is no error.
_FLAGS = ("--config-file=", "--ignore-missing-imports")


class CompiledModules(BuildHookInterface[Any]):
    """Adds compiled modules to a wheel."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if why_not() else ["mypy", "setuptools"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises RuntimeError where nothing can be compiled and must be, ValueError where the wish is none."""
        wish = os.environ.get(_WISH, "auto")
        if wish not in ("auto", "0", "1"):
            raise ValueError(f"{_WISH} is {wish!r}; it may be auto, 0 or 1")
        if version == "editable":
            return
        reason = why_not()
        if not reason:
            place = TemporaryDirectory(prefix="shadowproxy-build-")
            self._place = place  # until the wheel is written
            try:
                built = compiled(Path(self.root), self.config["compiled"], Path(place.name))
            except subprocess.CalledProcessError as e:
                reason = f"the compiler failed:\n{e.stdout}"
            else:
                build_data["force_include"] |= {str(path): name for name, path in built.items()}
                build_data["pure_python"] = False
                build_data["infer_tag"] = True
                return
        if wish == "1":
            raise RuntimeError(f"{_WISH}=1, but {reason}")
        if wish == "auto":
            self.app.display_warning(f"shadowproxy is not compiled, and costs more for each request: {reason}")


def why_not() -> str:
    """Why nothing can be compiled here, "" where it can."""
    if os.environ.get(_WISH) == "0":
        return f"{_WISH}=0"
    if sys.implementation.name != "cpython":
        return f"mypyc compiles for CPython, and this is {sys.implementation.name}"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler: {compiler}"
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    return "" if headers.is_file() else f"Python's headers are not installed: {headers}"


def compiled(root: Path, names: list[str], place: Path) -> dict[str, Path]:
    """Shared libraries by their paths in the wheel. Raises CalledProcessError with what was printed."""
    shutil.copytree(root / "shadowproxy", place / "shadowproxy", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    subprocess.run(
        [sys.executable, "-c", _SETUP],
        cwd=place,
        input=json.dumps([names, _FLAGS, _GROUP]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return {str(path.relative_to(place / "built")): path for path in sorted((place / "built").rglob("*.so"))}
