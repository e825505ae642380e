"""What a child's environment makes of its memory."""

from __future__ import annotations

import subprocess
import sys

from shadowproxy.supervisor.launch import environment

_READ = 256_000  # bytes, the most that uvloop hands over of a fast upload
# No free place that a read fits into by chance: one that imports left behind would hide what the settings do.
_FILLED = "held = [[bytes(size) for _ in range(400)] for size in (125_000, 60_000, 30_000, 15_000, 8_000, 4_000)]"
_FAULTS_A_READ = f"""
from resource import RUSAGE_SELF, getrusage
{_FILLED}
source = memoryview(bytearray({_READ}))
before = getrusage(RUSAGE_SELF).ru_minflt
for _ in range(1000):
    bytes(source)
print((getrusage(RUSAGE_SELF).ru_minflt - before) / 1000)
"""
_LEFT_OF_ITS_PEAK = """
from pathlib import Path
def resident(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
before = resident()
bodies = [bytes([1]) * 300_000 for _ in range(300)]
peak = resident() - before
del bodies
print((resident() - before) / peak)
"""


def _printed(program: str) -> float:
    command = [sys.executable, "-c", program]
    return float(subprocess.run(command, env=environment(), capture_output=True, check=True, timeout=60).stdout)


def test_a_read_of_full_length_costs_no_page_faults() -> None:
    assert _printed(_FAULTS_A_READ) < 2  # each was 63: every page of the body anew


def test_bodies_longer_than_a_read_are_given_back_when_they_go() -> None:
    assert _printed(_LEFT_OF_ITS_PEAK) < 0.1
