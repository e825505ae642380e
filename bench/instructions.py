"""Instructions of a worker for one request, counted by valgrind: on a busy machine the same as on a quiet one.

    python -m bench.instructions                      passed through, and mirrored and recorded
    python -m bench.instructions --top 25             the functions that take most of them
    python -m bench.instructions --against FILE       beside an earlier run's JSON, kept in bench/results/

A figure tells what a change to the code saves before a clock can see it. It is not time: the kernel's work for the
worker's system calls (which are counted beside it) and the memory's are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import machine
from bench.callgrind import Stretch, counted, missing
from bench.failure import MeasurementError
from bench.lockstep import Lockstep
from bench.results import keep
from bench.scenarios import LARGE, LARGE_OTHER, SMALL, request_for
from shadowproxy.settings.build import build
from shadowproxy.settings.model import Settings
from shadowproxy.settings.settle import settle
from shadowproxy.settings.snapshot import encode

_IDLE_S = 2.0
_CLONE = Path(__file__).parent.parent


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
_TITLES = {case.name: case.title for case in CASES}


@dataclass(frozen=True, slots=True)
class Count:
    """For one request, with what an idle worker does in the same time taken off."""

    instructions: float
    system_calls: float
    functions: dict[str, float] = field(default_factory=dict)


def main(words: Sequence[str] | None = None) -> int:
    """0 when it counted, 2 when it cannot on this machine, 4 when the worker did not do its part."""
    chosen = _parse(words)
    if absent := missing():
        print(f"not installed: {', '.join(absent)} (Debian: apt-get install valgrind)", file=sys.stderr)
        return 2
    before = json.loads(Path(chosen.against).read_text(encoding="utf-8")) if chosen.against else None
    try:
        counts = {case.name: count(case, chosen.requests) for case in CASES if case.name in chosen.case}
    except (MeasurementError, OSError) as error:
        print(error, file=sys.stderr)
        return 4
    command = shlex.join(["python", "-m", "bench.instructions", *(sys.argv[1:] if words is None else words)])
    facts = {**machine.describe(), "command": command}
    keep("instructions", {**facts, "counts": {name: asdict(each) for name, each in counts.items()}})
    print(text(facts, counts, before and before["counts"], chosen.top))
    return 0


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
    environment = {**os.environ, "PYTHONPATH": str(_CLONE), "PYTHONHASHSEED": "0"}
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


def per_request(busy: Stretch, idle: Stretch, requests: int, share: float) -> Count:
    """`share` is how much of the idle stretch's time the busy one took."""
    names = {*busy.functions, *idle.functions}
    functions = {name: (busy.functions.get(name, 0) - share * idle.functions.get(name, 0)) / requests for name in names}
    return Count(
        (busy.instructions - share * idle.instructions) / requests,
        (busy.system_calls - share * idle.system_calls) / requests,
        dict(sorted(functions.items(), key=lambda item: -item[1])),
    )


def text(
    facts: dict[str, str],
    counts: dict[str, Count],
    before: dict[str, dict[str, float]] | None,
    top: int,
    titles: Mapping[str, str] = _TITLES,
    of: str = "request",
) -> str:
    lines = [f"| {of} | instructions | before | change | system calls |", "|---|---|---|---|---|"]
    for name, each in counts.items():
        earlier = (before or {}).get(name, {}).get("instructions")
        compared = f"{earlier:,.0f} | {each.instructions / earlier - 1:+.1%}" if earlier else " | "
        lines.append(f"| {titles[name]} | {each.instructions:,.0f} | {compared} | {each.system_calls:.1f} |")
    parts = [machine.lines(facts), "\n".join(lines)]
    for name, each in counts.items() if top else ():
        own = [f"| {used:,.0f} | {used / each.instructions:.1%} | `{function}` |" for function, used in _top(each, top)]
        parts.append("\n".join([f"| {titles[name]} | share | function, without its callees |", "|---|---|---|", *own]))
    return "\n\n".join(parts)


def _top(each: Count, top: int) -> list[tuple[str, float]]:
    return list(each.functions.items())[:top]


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


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=500, help="how many are counted (500)")
    parser.add_argument("--case", choices=names, nargs="+", default=names[:2])
    parser.add_argument("--top", type=int, default=0, metavar="N", help="functions shown (none)")
    parser.add_argument("--against", metavar="FILE", help="JSON of an earlier run, to compare with")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
