"""The state directory: `changes.json`, what operators changed, and `history.jsonl`, who answered users since when.

Law: a change is on the disk before anybody is told that it was made; a crash leaves the file as it was or as it was to
be. Without a state directory both live as long as the process. (The kill switch alone does not wait for a disk that
takes nothing: its answer says so.)
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from shadowproxy.settings.steering.changes import Changes, decode, encode

from .errors import StartError

CHANGES: Final = "changes.json"
HISTORY: Final = "history.jsonl"
REMEMBERED: Final = 10_000  # lines of the history that are held in memory

Record = dict[str, Any]


class Store:
    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self.history: list[Record] = []

    def read(self) -> Changes:
        """Raises StartError for a file that is there and cannot be understood: to ignore it could turn users over."""
        if self._folder is None:
            return Changes()
        self.history = _lines(self._folder / HISTORY)[-REMEMBERED:]
        path = self._folder / CHANGES
        try:
            return decode(path.read_bytes())
        except FileNotFoundError:
            return Changes()
        except OSError as e:
            raise StartError(f"cannot read {path}: {e.strerror or e}") from e
        except ValueError as e:
            raise StartError(f"{path}: {e}") from e

    def stage(self, changes: Changes) -> None:
        """Write and sync, beside the file that counts. Raises OSError."""
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(encode(changes))
            file.flush()
            os.fsync(file.fileno())

    def keep(self) -> None:
        """What was staged counts from now on. Raises OSError."""
        if self._folder is not None:
            os.replace(self._staged, self._folder / CHANGES)
            _sync_folder(self._folder)

    def discard(self) -> None:
        if self._folder is not None:
            with suppress(OSError):
                self._staged.unlink(missing_ok=True)

    def remember(self, record: Record) -> None:
        """One line more of history. Raises OSError; it is remembered in memory all the same."""
        self.history = [*self.history[-REMEMBERED + 1 :], record]
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / HISTORY, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
            # A crash may have left half a line: this one must not be glued to it.
            if file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                line = b"\n" + line
            file.write(line)
            os.fsync(file.fileno())

    @property
    def _staged(self) -> Path:
        assert self._folder is not None
        return self._folder / f".{CHANGES}.new"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(path: Path) -> list[Record]:
    """Whole records; a torn line is passed over."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    found = []
    for line in data.splitlines():
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                found.append(record)
    return found
