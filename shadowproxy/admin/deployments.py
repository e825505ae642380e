"""`state`/history.jsonl, read as it grows: who answered users since when (`supervisor/store.py` writes it).

Lines that are torn or of another make are passed over.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

FILE: Final = "history.jsonl"
ACTIONS: Final = ("promoted", "rolled_back")


class History:
    """One reader's place in the file."""

    def __init__(self, state: str, bytes_read: int | None = 0) -> None:
        """Begins after `bytes_read`; None: at the present end. Without a state directory there is no history."""
        self._path = Path(state or os.devnull) / FILE
        self.bytes_read = _size(self._path) if bytes_read is None else bytes_read

    def read_new(self) -> list[dict[str, Any]]:
        """The whole lines since the last call. A file that cannot be read has none; one that shrank begins anew."""
        if _size(self._path) < self.bytes_read:
            self.bytes_read = 0
        found = []
        try:
            with self._path.open("rb") as file:
                file.seek(self.bytes_read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self.bytes_read += len(line)
                    found.append(_record(line))
        except OSError:
            pass
        return [record for record in found if record is not None]


_readers: dict[str, tuple[History, Counter[str]]] = {}  # by state: what was read once is remembered


def deployments(state: str) -> Mapping[str, int]:
    """How often each of ACTIONS was done, since there is a history."""
    history, counts = _readers.setdefault(state, (History(state), Counter()))
    before = history.bytes_read
    new = history.read_new()
    if history.bytes_read < before:
        counts.clear()
    counts.update(str(line.get("action")) for line in new)
    return {action: counts[action] for action in ACTIONS}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None
