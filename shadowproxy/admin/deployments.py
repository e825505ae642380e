"""`state`/history.jsonl, read: how often production was changed, by what.

A line is an object with at least `action`; lines that are torn or of another make are passed over. The file only
grows, so what was read once is remembered by its length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

FILE: Final = "history.jsonl"
ACTIONS: Final = ("promote", "rollback")

_read: dict[Path, tuple[int, Counter[str]]] = {}  # by file: bytes read, and what they said


def deployments(state: str) -> Mapping[str, int]:
    """How often each of ACTIONS was done. A file that cannot be read says nothing new."""
    path = Path(state) / FILE
    at, counts = _read.get(path, (0, Counter[str]()))
    try:
        with path.open("rb") as file:
            if path.stat().st_size < at:
                at, counts = 0, Counter()
            file.seek(at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                at += len(line)
                counts[_action(line)] += 1
    except OSError:
        pass
    _read[path] = (at, counts)
    return {action: counts[action] for action in ACTIONS}


def _action(line: bytes) -> str:
    try:
        action = orjson.loads(line).get("action", "")
    except (orjson.JSONDecodeError, AttributeError):
        return ""
    return str(action)
