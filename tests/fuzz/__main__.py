"""`python -m tests.fuzz TARGET SECONDS`: bytes at one target for so long; what it raises on is printed, and ends it.

Where atheris is installed (`pip install --group fuzz`) it leads by coverage; otherwise good inputs are spoilt by lot.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def by_lot(target: Callable[[bytes], None], seeds: list[bytes], seconds: float) -> int:
    """How many inputs were tried."""
    lot, count, end = random.Random(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(100):
            data = _spoilt(lot, seeds)
            try:
                target(data)
            except BaseException:
                print(f"FOUND {data!r}", flush=True)
                raise
            count += 1
    return count


def _spoilt(lot: random.Random, seeds: list[bytes]) -> bytes:
    data = lot.choice(seeds)
    for _ in range(lot.randint(1, 4)):
        at, size = lot.randint(0, len(data)), lot.choice((0, 1, 1, 2, 8, 30))
        other = lot.choice(seeds)
        start = lot.randint(0, len(other))
        new = lot.choice((b"", lot.randbytes(size), data[at : at + size] * 2, other[start : start + size]))
        data = data[:at] + new + data[at + lot.choice((0, size)) :]
    return data


def by_coverage(name: str, seconds: float) -> None:
    import atheris

    with atheris.instrument_imports(include=["shadowproxy.http1", "shadowproxy.wire", "shadowproxy.compare"]):
        from tests.fuzz.targets import SEEDS, TARGETS

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        limits = [f"-max_total_time={seconds:.0f}", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=0"]
        atheris.Setup([sys.argv[0], folder, *limits, f"-artifact_prefix={tempfile.gettempdir()}/"], TARGETS[name])
        atheris.Fuzz()


def main() -> int:
    name, seconds = sys.argv[1], float(sys.argv[2])
    if importlib.util.find_spec("atheris") is not None:
        by_coverage(name, seconds)
        return 0
    from tests.fuzz.targets import SEEDS, TARGETS

    print(f"{name}: {by_lot(TARGETS[name], SEEDS[name], seconds):,} inputs by lot, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
