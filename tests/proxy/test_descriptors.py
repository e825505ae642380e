from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SIZE = "print([line for line in open('/proc/self/status') if line.startswith('FDSize')][0].split()[1])"


def _run(code: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc, in which a table's size is told")
def test_there_is_room_for_as_many_as_may_be_opened_and_none_is_open() -> None:
    before, after, left_open = _run(
        "import os, resource\n"
        f"{_SIZE}\n"
        f"{_SIZE.replace('print', 'size = int')}\n"  # the table of whoever started us, whose size stays
        "resource.setrlimit(resource.RLIMIT_NOFILE, (2 * size, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "from shadowproxy.proxy.descriptors import make_room\n"
        "mine = sorted(os.listdir('/proc/self/fd'))\n"
        "make_room()\n"
        f"{_SIZE}\n"
        "print(len(set(os.listdir('/proc/self/fd')) - set(mine)))\n"
    )
    assert (after, left_open) == (2 * before, 0)


def test_a_limit_without_end_is_taken_in_part() -> None:
    code = (
        "import fcntl, resource\n"
        "from shadowproxy.proxy import descriptors\n"
        "asked = []\n"
        "real = fcntl.fcntl\n"
        "fcntl.fcntl = lambda fd, what, least: asked.append(least) or real(fd, what, 0)\n"
        "resource.getrlimit = lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY)\n"
        "descriptors.make_room()\n"
        "print(*asked)\n"
    )
    assert _run(code) == [65535]


def test_a_system_that_refuses_is_no_fault() -> None:
    code = (
        "import fcntl, os\n"
        "from shadowproxy.proxy import descriptors\n"
        "def refuse(*_):\n"
        "    raise OSError(22, 'no')\n"
        "fcntl.fcntl = refuse\n"
        "before = len(os.listdir('/proc/self/fd')) if os.path.exists('/proc/self/fd') else 0\n"
        "descriptors.make_room()\n"
        "after = len(os.listdir('/proc/self/fd')) if os.path.exists('/proc/self/fd') else 0\n"
        "print(before - after)\n"
    )
    assert _run(code) == [0]
