"""A new file under old changes: what it changed itself is settled, the rest stays.

Law: a change goes exactly when the file says something else about its key than it did when the change was made. A file
that no longer knows who answers users is refused, for nobody would know what to do with them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shadowproxy.settings.snapshot import Candidate, Snapshot

from .changes import Changes, Removed, Swap
from .verbs import Conflict, base_of


def rebase(changes: Changes, file: Snapshot) -> tuple[Changes, list[str]]:
    """The changes that stay, and the keys that the file has taken back. Raises Conflict."""
    settled: list[str] = []
    names = {candidate.name for candidate in file.candidates}
    added = []
    for one in changes.added:
        if one.candidate.name in names or one.candidate.name == file.production.name:
            settled.append(f"candidates[{one.candidate.name}]")
        else:
            added.append(one)
    removed = []
    for gone in changes.removed:
        if _still_says(file, gone):
            removed.append(gone)
        else:
            settled.append(f"candidates[{gone.was.name}]")
    kept = changes.replace(added=tuple(added), removed=tuple(removed))
    kept = kept.replace(swaps=_swaps(kept, file, settled))
    if kept.ramp is not None and not _knows(kept, file, kept.ramp.name):
        raise Conflict(f"candidates: {kept.ramp.name} answers users in a ramp, and this file does not name it.")
    return _edits(kept, file, settled), settled


def _still_says(file: Snapshot, gone: Removed) -> bool:
    found = [candidate for candidate in file.candidates if candidate.name == gone.was.name]
    return bool(found) and _without_trial(found[0]) == gone.was


def _without_trial(candidate: Candidate) -> Candidate:
    made: Candidate = msgspec.structs.replace(candidate, trial="")
    return made


def _swaps(changes: Changes, file: Snapshot, settled: list[str]) -> tuple[Swap, ...]:
    """Promotions that the file does not know of yet. One whose production the file names is done; so are older ones."""
    swaps = changes.swaps
    if not swaps:
        return ()
    for number in range(len(swaps), 0, -1):
        if swaps[number - 1].name == file.production.name:
            settled.append("production")
            swaps = swaps[number:]
            break
    else:
        if swaps[0].was != file.production.name:
            settled.append("production")
            return ()
    for swap in swaps:
        if not _knows(changes, file, swap.name):
            raise Conflict(
                f"{swap.name} was promoted, and in this file it is neither production nor a candidate: "
                "name it, or roll it back first."
            )
    return swaps


def _knows(changes: Changes, file: Snapshot, name: str) -> bool:
    removed = {one.was.name for one in changes.removed}
    in_file = any(candidate.name == name for candidate in file.candidates) and name not in removed
    return in_file or any(one.candidate.name == name for one in changes.added)


def _edits(changes: Changes, file: Snapshot, settled: list[str]) -> Changes:
    kept = changes
    for name, edits in changes.edits.items():
        own = dict(edits)
        for key, edit in edits.items():
            without = {known: dict(e) for known, e in kept.edits.items()}
            without[name] = {k: e for k, e in own.items() if k != key}
            base = _base(file, kept.replace(edits=without), name, key)
            if base != edit.base:
                own.pop(key)
                if base is not None:
                    settled.append(f"candidates[{name}].{key}")
        kept = kept.replace(edits={k: e for k, e in {**kept.edits, name: own}.items() if e})
    return kept


def _base(file: Snapshot, changes: Changes, name: str, key: str) -> Any:
    """What would be in force without the edit; of one that answers now, while it was a candidate last."""
    for count in range(len(changes.swaps), -1, -1):
        base = base_of(file, changes.replace(swaps=changes.swaps[:count]), name, key)
        if base is not None:
            return base
    return None


def reset(changes: Changes) -> Changes:
    """Only what the file says; how often trials began anew is evidence and stays. Raises Conflict."""
    if changes.ramp is not None:
        raise Conflict(f"A ramp of {changes.ramp.name} is under way: roll it back first.")
    if changes.swaps:
        raise Conflict(
            f"{changes.swaps[-1].name} was promoted: before a reset, roll it back or name it as production in the file."
        )
    return Changes(restarts=changes.restarts, roles=changes.roles)
