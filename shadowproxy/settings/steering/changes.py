"""The record of what operators changed, as it lies in `state/changes.json`.

Law: a change says what the file said when it was made (`base`, `was`). That is how a later file can be told to have
changed the same key, also when the proxy did not run in between.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shadowproxy.settings.snapshot import Candidate

VERSION: Final = 1


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Edit(_Record, frozen=True, kw_only=True):
    """One key of one candidate: `sample` (a share) or `gated`."""

    value: Any
    base: Any  # what would be in force without the edit
    by: str = ""
    at: str = ""  # RFC 3339, UTC


class Pause(_Record, frozen=True, kw_only=True):
    by: str = ""
    at: str = ""


class Added(_Record, frozen=True, kw_only=True):
    candidate: Candidate
    by: str = ""
    at: str = ""


class Removed(_Record, frozen=True, kw_only=True):
    was: Candidate  # as the file had it
    by: str = ""
    at: str = ""


class Swap(_Record, frozen=True, kw_only=True):
    """A promotion: `name` answers in place of `was`, which stays as a candidate."""

    name: str
    was: str
    by: str = ""
    at: str = ""


class Climb(_Record, frozen=True, kw_only=True):
    """A canary ramp under way: `steps[step]` of the sample keys since `since_ms` (1970)."""

    name: str
    steps: tuple[float, ...]
    hold_s: float
    step: int = 0
    since_ms: int = 0
    began_ms: int = 0
    forced: str | None = None
    by: str = ""
    at: str = ""

    @property
    def share(self) -> float:
        return self.steps[self.step]


class Changes(_Record, frozen=True, kw_only=True):
    v: int = VERSION
    edits: dict[str, dict[str, Edit]] = {}  # candidate → key → edit
    paused: dict[str, Pause] = {}
    restarts: dict[str, int] = {}  # how often a candidate's trial was begun anew
    added: tuple[Added, ...] = ()
    removed: tuple[Removed, ...] = ()
    swaps: tuple[Swap, ...] = ()  # in force, the oldest first
    ramp: Climb | None = None
    roles: int = 0  # promotions and rollbacks so far: each begins every trial anew

    def replace(self, **changes: Any) -> Changes:
        changed: Changes = msgspec.structs.replace(self, **changes)
        return changed


def encode(changes: Changes) -> bytes:
    return msgspec.json.format(msgspec.json.encode(changes), indent=1) + b"\n"


def decode(data: bytes) -> Changes:
    """Raises ValueError, with one sentence, for anything that `encode` did not write."""
    try:
        changes = msgspec.json.decode(data, type=Changes)
    except msgspec.MsgspecError as e:
        raise ValueError(f"expected what operators changed, as shadowproxy wrote it: {e}") from e
    if changes.v != VERSION:
        raise ValueError(f"expected version {VERSION} of this file, there was {changes.v}")
    return changes
