"""Any bytes, and good ones with pieces cut out, doubled or overwritten, at every reader of foreign bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import FOUND, SEEDS, TARGETS

ROOT = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
FEW = {"pair_log": 25, "report_log": 3}  # they write files


@st.composite
def spoilt(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    whole = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(whole)))
        end = draw(st.integers(start, min(len(whole), start + 20)))
        piece = whole[start:end]
        whole = whole[:start] + draw(st.sampled_from([b"", piece * 2]) | st.binary(max_size=6)) + whole[end:]
    return whole


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_are_read_wrong(name: str) -> None:
    @settings(max_examples=FEW.get(name, 100), derandomize=True)  # the campaign looks for what is new
    @given(spoilt(SEEDS[name]) | st.binary(max_size=100))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    for seed in SEEDS[name][:20]:
        TARGETS[name](seed)
    holds()


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_once_found_is_mended(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", TARGETS)
def test_a_minute_of_any_bytes(name: str) -> None:
    """`FUZZ_SECONDS` is the time, 60 by default; by coverage where atheris is installed (`--group fuzz`)."""
    command = [sys.executable, "-m", "tests.fuzz", name, str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
