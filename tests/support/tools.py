"""Programs of other projects that tests run against: where they are, or a skip that names what is missing."""

from __future__ import annotations

import os
import shutil

import pytest

_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def require(command: str, package: str) -> str:
    """The command's path; where it is not installed, the test is skipped with the Debian package that has it."""
    found = shutil.which(command, path=_PATH)
    if found is None:
        pytest.skip(f"{command} is not installed (Debian package {package})")
    return found
