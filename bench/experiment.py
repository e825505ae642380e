"""One command each: an experiment measures, what it found is printed and kept, and --docs puts it into the document.

A module of bench/ that holds `EXPERIMENT` is run by `python -m bench NAME` and by `make bench`:

    EXPERIMENT = Experiment("memory", __doc__, measure, needs=("nginx",))

`measure(chosen)` gets the parsed arguments (`chosen.effort` says how long it may take) and returns a Finding, or raises
MeasurementError. What it needs is looked for before.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from bench import builds, document, machine, results
from bench.failure import MeasurementError
from bench.programs import find, missing
from bench.table import markdown

EXPECTED = Path(__file__).parent / "expected.json"


class Effort(StrEnum):
    """How long it may take: ratios only, to see a regression; point figures; figures with intervals."""

    QUICK = "quick"
    POINT = "point"
    PROOF = "proof"


class Headline(NamedTuple):
    """A figure that README shows, and the goal that it is held against ("" where there is none)."""

    what: str
    found: str
    goal: str


@dataclass(frozen=True, slots=True)
class Finding:
    """`tables` are Markdown; `data` is kept as JSON. `ratios` are figures of one run to one another by name, which
    another run on another machine should find again. `warnings` say why figures may not mean what they say."""

    tables: Sequence[str]
    data: Mapping[str, object]
    ratios: Mapping[str, float] = field(default_factory=dict)
    headline: Sequence[Headline] = ()
    warnings: Sequence[str] = ()
    load: str = ""


Measure = Callable[[argparse.Namespace], Finding]


@dataclass(frozen=True, slots=True)
class Experiment:
    """`needs` are programs of `bench.programs`, `peers` those that are used where they are installed."""

    name: str
    about: str
    measure: Measure
    needs: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    options: Callable[[argparse.ArgumentParser], None] = lambda _: None
    cores: int = 2


def run(experiment: Experiment, words: Sequence[str] | None = None) -> int:
    """0 when it measured, 2 when it cannot on this machine, 4 when something did not start or answer."""
    builds.prefer_compiled()
    words = sys.argv[1:] if words is None else words
    chosen = _parse(experiment, words)
    if why := _cannot(experiment):
        print(f"{experiment.name}: {why}", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        with _ended_in_order():
            finding = experiment.measure(chosen)
    except MeasurementError as error:
        print(f"{experiment.name}: {error}", file=sys.stderr)
        return 4
    programs = [path for name in (*experiment.needs, *experiment.peers) if (path := find(name)) is not None]
    facts = {
        **machine.describe(*programs),
        "command": shlex.join(["python", "-m", "bench", experiment.name, *words]),
        **({"load": finding.load} if finding.load else {}),
    }
    figures = {"effort": chosen.effort, "ratios": dict(finding.ratios), "headline": finding.headline}
    results.keep(experiment.name, {**facts, **figures, "data": dict(finding.data)})
    shown = [machine.lines(facts), *finding.tables, *(f"Warning: {each}" for each in finding.warnings)]
    print("\n\n".join(shown))
    if chosen.effort is Effort.QUICK and finding.ratios:
        print(f"\n{expectations(experiment.name, finding.ratios)}")
    print(f"{experiment.name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    if chosen.docs:
        document.write_into(document.PLACE, experiment.name, "\n\n".join(shown))
    return 0


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM is answered as Ctrl-C is, so that what was started ends too."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def expectations(name: str, ratios: Mapping[str, float]) -> str:
    """Ratios beside the stored ones. Information: no run fails by them."""
    stored = json.loads(EXPECTED.read_text(encoding="utf-8")).get(name, {})
    rows = []
    for ratio, found in ratios.items():
        low, high = stored.get(ratio, (None, None))
        if low is None:
            said = ["", "nothing is expected"]
        else:
            said = [f"{low:g}–{high:g}", "as expected" if low <= found <= high else "**unlike the stored figures**"]
        rows.append([ratio, f"{found:.2f}", *said])
    return markdown(("ratio", "found", "expected", ""), rows)


def two_cores() -> tuple[int, int]:
    """The proxy's core and that of load and models. Raises MeasurementError where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise MeasurementError(f"two cores are needed, one for the proxy and one for the load; there is only {cores}")
    return cores[0], cores[1]


def _cannot(experiment: Experiment) -> str:
    if absent := missing(experiment.needs):
        return f"not installed: {'; '.join(absent)}"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < experiment.cores:
        return f"two cores are needed, one for the proxy and one for the load; this process may use {cores}"
    return ""


def _parse(experiment: Experiment, words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m bench {experiment.name}",
        description=experiment.about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    length = parser.add_mutually_exclusive_group()
    for effort in Effort:
        length.add_argument(f"--{effort}", dest="effort", action="store_const", const=effort, help=_LENGTHS[effort])
    parser.set_defaults(effort=Effort.POINT)
    parser.add_argument("--docs", action="store_true", help="put the result into its place in docs/performance.md")
    experiment.options(parser)
    return parser.parse_args(words)


_LENGTHS = {
    Effort.QUICK: "short: ratios beside the stored ones",
    Effort.POINT: "point figures (the default)",
    Effort.PROOF: "long: enough rounds for intervals",
}
