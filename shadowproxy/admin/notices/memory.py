"""`state`/notices.json: what has been told, so that a restart repeats nothing, and what is still to be delivered.

A notice is written down before it is sent. One that a crash keeps from its receiver is sent after the restart, with
the same id; a crash between a delivery and the line that says so is the one case in which it comes twice.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from .notice import Notice

FILE: Final = "notices.json"
MAX_PENDING: Final = 256


class Told(msgspec.Struct):
    """The last verdict that was told of a trial."""

    trial: str
    verdict: str


class Pending(msgspec.Struct, frozen=True):
    notice: Notice
    to: str  # `key_of` a webhook: its URL is a secret and is not written here


class Memory(msgspec.Struct):
    verdicts: dict[str, Told] = {}  # by candidate
    open_breakers: list[str] = []
    low_coverage: list[str] = []
    history_bytes: int | None = None  # so far history.jsonl has been told; None: never looked
    pending: list[Pending] = []


def read(state: str) -> Memory:
    """What was remembered; nothing where there is no file, or one of another make, or no state directory."""
    if not state:
        return Memory()
    try:
        return msgspec.json.decode((Path(state) / FILE).read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError):
        return Memory()


def write(state: str, name: str, data: bytes) -> None:
    """A file of the state directory, whole or not at all; nothing where there is none. Raises OSError."""
    if not state:
        return
    folder = Path(state)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = folder / f".{name}.new"
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(staged, folder / name)
