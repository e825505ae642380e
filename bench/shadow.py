"""shadowproxy as it is installed: one worker, everything on, one candidate where the scenario mirrors."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.cores import command_line, tree
from bench.scenarios import Scenario

# Before a command that shall run the sources, whatever is compiled.
INTERPRETED = ["env", f"PYTHONPATH={Path(__file__).parent.parent}"]
ROLES = {"shadowproxy.proxy": "worker", "shadowproxy.recorder": "recorder"}


def command(
    place: Path,
    scenario: Scenario,
    listen: int,
    admin: int,
    production: int,
    candidate: int,
    settings: Mapping[str, object] | None = None,
) -> list[str]:
    """Writes the configuration into its directory and says how to start it. Everything not named is the default."""
    configuration: dict[str, object] = {
        "listen": f"127.0.0.1:{listen}",
        "state": str(place / "state"),
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "production": {"url": f"http://127.0.0.1:{production}", "version": "1"},
        "pairs": {"dir": str(pairs_directory(place))},
        # Nothing waits for a load balancer to notice.
        "limits": {"drain_delay": "0s"},
    }
    if scenario.mirrors:
        configuration["candidates"] = [{"name": "v2", "url": f"http://127.0.0.1:{candidate}", "version": "2"}]
    configuration |= settings or {}
    file = place / "shadowproxy.json"
    file.write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    return [sys.executable, "-m", "shadowproxy", "run", "-c", str(file), "--log-format", "json"]


def pairs_directory(place: Path) -> Path:
    return place / "pairs"


def roles(pid: int) -> dict[str, list[int]]:
    """The processes below the supervisor by what they do; `rest` is the supervisor itself and the admin process."""
    found: dict[str, list[int]] = {"worker": [], "recorder": [], "rest": []}
    for process in tree(pid):
        role = next((role for module, role in ROLES.items() if module in command_line(process)), "rest")
        found[role].append(process)
    return found


def copied_share(place: Path) -> float:
    """Copies sent of requests eligible, by the ledger's last word, once it has stopped; 0 where it has none."""
    last: dict[tuple[object, object], dict[str, int]] = {}
    for segment in pairs_directory(place).glob("ledger-*.jsonl"):
        for line in segment.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            last[row["candidate"], row["route"]] = row
    eligible = sum(row["eligible"] for row in last.values())
    return sum(row["sent"] for row in last.values()) / eligible if eligible else 0.0


def count_pairs(place: Path) -> int:
    """Pairs on disk, once it has stopped."""
    segments = pairs_directory(place).glob("pairs-*.jsonl")
    return sum(segment.read_bytes().count(b"\n") for segment in segments)
