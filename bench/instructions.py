"""Instructions of a worker for one request, counted by valgrind: on a busy machine the same as on a quiet one.

    python -m bench.instructions                      passed through, and mirrored and recorded
    python -m bench.instructions --top 25             the functions that take most of them
    python -m bench.instructions --against FILE       beside an earlier run's JSON, kept in bench/results/

A figure tells what a change to the code saves before a clock can see it. It is not time: the kernel's work for the
worker's system calls (which are counted beside it) and the memory's are not in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import builds
from bench.callgrind import counted
from bench.counting import Count, Counting, per_request
from bench.failure import MeasurementError
from bench.lockstep import Lockstep
from bench.scenarios import LARGE, LARGE_OTHER, SMALL, request_for
from shadowproxy.settings.build import build
from shadowproxy.settings.model import Settings
from shadowproxy.settings.settle import settle
from shadowproxy.settings.snapshot import encode

_IDLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    title: str
    production: bytes
    candidate: bytes | None


CASES = (
    Case("pass", "passed through", SMALL, None),
    Case("mirror", "mirrored and recorded", SMALL, SMALL),
    Case("large", "mirrored and recorded, 1 KiB answers", LARGE, LARGE_OTHER),
)


@dataclass(frozen=True, slots=True)
class Stand:
    """A world, and the command that starts a worker in it; `begin()` once it has been started."""

    world: Lockstep
    command: tuple[str, ...]
    fds: tuple[int, ...]
    environment: dict[str, str]
    snapshot: bytes

    def begin(self) -> None:
        self.world.begin(self.snapshot)


@contextmanager
def standing(case: Case, place: Path) -> Iterator[Stand]:
    world = Lockstep(place, request_for(80), case.production, case.candidate)
    fds = (world.supervisor.theirs.fileno(), world.listen.fileno())
    arguments = ["--slot", "0", "--control", str(fds[0]), "--listen", str(fds[1])]
    command = (sys.executable, "-m", "bench.counted_worker", *arguments, "--recorder", str(world.recorder_path))
    environment = {**builds.environment(), "PYTHONHASHSEED": "0"}
    try:
        yield Stand(world, command, fds, environment, _snapshot(place, world))
    except (MeasurementError, TimeoutError) as error:
        said = place / "stderr"
        tail = said.read_text(errors="replace")[-2000:] if said.exists() else ""
        raise MeasurementError(f"{case.name}: {error}\n{tail}") from error
    finally:
        world.close()


def count(case: Case, requests: int) -> Count:
    """Runs a worker under callgrind. Raises MeasurementError."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="shadowproxy-bench-")))
        stand = stack.enter_context(standing(case, place))
        worker = stack.enter_context(counted(stand.command, place, stand.fds, stand.environment))
        stand.begin()
        warm = max(20, requests // 10)
        stand.world.exchange(worker, warm)
        worker.begin()
        time.sleep(_IDLE_S)
        idle = worker.cut()
        began = time.perf_counter()
        stand.world.exchange(worker, requests)
        if case.candidate is not None:
            stand.world.settle(worker, warm + requests)
        busy_s = time.perf_counter() - began
        return per_request(worker.cut(), idle, requests, busy_s / _IDLE_S)


def _snapshot(place: Path, world: Lockstep) -> bytes:
    # Connections outlive the idle stretch.
    lasting = {"keep_alive": "10m", "max_age": "10m"}
    tree: dict[str, object] = {
        "production": {"url": world.production.url, "version": "1", **lasting},
        "pairs": {"dir": str(place / "pairs")},
    }
    if world.candidate is not None:
        tree["candidates"] = [{"name": "v2", "url": world.candidate.url, "version": "2"}]
    return encode(build(settle(Settings.model_validate(tree)), "json"))


COUNTING = Counting("instructions", __doc__, "request", CASES, count, many=500, default=CASES[:2])

if __name__ == "__main__":
    builds.prefer_compiled()
    sys.exit(COUNTING.run())
