"""README's measured block: the headlines of each experiment's newest run, with the command that gives them.

Quick runs are too short for figures and are passed over. Figures of several commits are said to be so; each one's own
stands at its table in docs/performance.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench import document, results
from bench.table import markdown

README = Path(__file__).parent.parent / "README.md"


def main() -> int:
    """0 when the block was written, 2 when there is nothing to write."""
    newest = newest_runs()
    if not newest:
        print(f"nothing is in {results.PLACE}: run `make bench` first", file=sys.stderr)
        return 2
    document.write_into(README, "measured", block(newest))
    return 0


def newest_runs() -> dict[str, dict[str, Any]]:
    """By experiment; names of files sort by time."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(results.PLACE.glob("*.json"), key=lambda file: file.stem.rpartition("-")[2]):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept.get("headline") and kept.get("effort") != "quick":
            found[file.stem.rpartition("-")[0]] = kept
    return found


def block(runs: dict[str, dict[str, Any]]) -> str:
    first = next(iter(runs.values()))
    versions = ", ".join(f"{name} {first[name]}" for name in ("nginx", "envoy", "haproxy") if name in first)
    revisions = {kept["shadowproxy"] for kept in runs.values()}
    of = f"shadowproxy {first['shadowproxy']}" if len(revisions) == 1 else f"{len(revisions)} commits of shadowproxy"
    said = f"{first['machine']}; {of}{f'; {versions}' if versions else ''}; all by `make bench` on a quiet machine."
    rows = [[*headline, f"`python -m bench {name}`"] for name, kept in runs.items() for headline in kept["headline"]]
    return f"{said}\n\n{markdown(['', 'measured', 'goal', 'by'], rows)}"
