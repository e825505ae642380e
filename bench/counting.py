"""Commands that count instructions by case, under valgrind: arguments, a table beside an earlier run's, JSON kept."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from bench import machine
from bench.callgrind import Stretch, missing
from bench.failure import MeasurementError
from bench.results import keep


@dataclass(frozen=True, slots=True)
class Count:
    """For one request or pair, with what an idle process does in the same time taken off."""

    instructions: float
    system_calls: float
    functions: dict[str, float] = field(default_factory=dict)


def per_request(busy: Stretch, idle: Stretch, many: int, share: float) -> Count:
    """`share` is how much of the idle stretch's time the busy one took."""
    names = {*busy.functions, *idle.functions}
    functions = {name: (busy.functions.get(name, 0) - share * idle.functions.get(name, 0)) / many for name in names}
    return Count(
        (busy.instructions - share * idle.instructions) / many,
        (busy.system_calls - share * idle.system_calls) / many,
        dict(sorted(functions.items(), key=lambda item: -item[1])),
    )


class Case(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...


C = TypeVar("C", bound=Case)


@dataclass(frozen=True, slots=True)
class Counting(Generic[C]):
    """`count(case, many)` raises MeasurementError; `many` are counted of `of`. `default` are the usual cases."""

    name: str
    about: str
    of: str
    cases: Sequence[C]
    count: Callable[[C, int], Count]
    many: int
    default: Sequence[C]

    def run(self, words: Sequence[str] | None = None) -> int:
        """0 when it counted, 2 when it cannot on this machine, 4 when what is counted did not do its part."""
        chosen = self._parse(words)
        if absent := missing():
            print(f"not installed: {', '.join(absent)} (Debian: apt-get install valgrind)", file=sys.stderr)
            return 2
        before = json.loads(Path(chosen.against).read_text(encoding="utf-8"))["counts"] if chosen.against else {}
        try:
            counts = {case.name: self.count(case, chosen.many) for case in self.cases if case.name in chosen.case}
        except (MeasurementError, OSError) as error:
            print(error, file=sys.stderr)
            return 4
        command = shlex.join(["python", "-m", f"bench.{self.name}", *(sys.argv[1:] if words is None else words)])
        facts = {**machine.describe(), "command": command}
        keep(self.name, {**facts, "counts": {name: asdict(each) for name, each in counts.items()}})
        print("\n\n".join([machine.lines(facts), *self._tables(counts, before, chosen.top)]))
        return 0

    def _tables(self, counts: Mapping[str, Count], before: Mapping[str, Mapping[str, float]], top: int) -> list[str]:
        titles = {case.name: case.title for case in self.cases}
        lines = [f"| {self.of} | instructions | before | change | system calls |", "|---|---|---|---|---|"]
        for name, each in counts.items():
            earlier = before.get(name, {}).get("instructions")
            compared = f"{earlier:,.0f} | {each.instructions / earlier - 1:+.1%}" if earlier else " | "
            lines.append(f"| {titles[name]} | {each.instructions:,.0f} | {compared} | {each.system_calls:.1f} |")
        tables = ["\n".join(lines)]
        for name, each in counts.items() if top else ():
            rows = [f"| {titles[name]} | share | function, without its callees |", "|---|---|---|"]
            for function, used in list(each.functions.items())[:top]:
                rows.append(f"| {used:,.0f} | {used / each.instructions:.1%} | `{function}` |")
            tables.append("\n".join(rows))
        return tables

    def _parse(self, words: Sequence[str] | None) -> argparse.Namespace:
        parser = argparse.ArgumentParser(
            prog=f"python -m bench.{self.name}",
            description=self.about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            f"--{self.of}s", dest="many", type=int, default=self.many, help=f"how many are counted ({self.many})"
        )
        parser.add_argument("--case", choices=_names(self.cases), nargs="+", default=_names(self.default))
        parser.add_argument("--top", type=int, default=0, metavar="N", help="functions shown (none)")
        parser.add_argument("--against", metavar="FILE", help="JSON of an earlier run, to compare with")
        return parser.parse_args(words)


def _names(cases: Sequence[Case]) -> list[str]:
    return [case.name for case in cases]
