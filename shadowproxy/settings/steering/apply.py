"""The snapshot in force: what the file says, and over it what operators changed.

Law: `apply(file, Changes())` is the file's snapshot itself, trials included. A change whose candidate is no longer
there has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shadowproxy.core.trial import trial_id
from shadowproxy.settings.snapshot import Candidate, Production, Snapshot

from .changes import Changes
from .roles import exchanged, ramped


def apply(file: Snapshot, changes: Changes) -> Snapshot:
    known = {candidate.name for candidate in file.candidates}
    removed = {one.was.name for one in changes.removed}
    candidates = [candidate for candidate in file.candidates if candidate.name not in removed]
    candidates += [one.candidate for one in changes.added if one.candidate.name not in known - removed]
    twin = file.twin and _own(file.twin, changes)
    snapshot: Snapshot = msgspec.structs.replace(file, candidates=_edited(candidates, changes), twin=twin)
    for swap in changes.swaps:
        if any(candidate.name == swap.name for candidate in snapshot.candidates):
            snapshot = exchanged(snapshot, swap.name)
            former = [one if one.name != swap.was else _own(one, changes) for one in snapshot.candidates]
            snapshot = msgspec.structs.replace(snapshot, candidates=tuple(former))
    ramp = changes.ramp
    if ramp is not None and any(candidate.name == ramp.name for candidate in snapshot.candidates):
        snapshot = ramped(snapshot, ramp.name, ramp.share)
    return _with_trials(snapshot, changes)


def _edited(candidates: Iterable[Candidate], changes: Changes) -> tuple[Candidate, ...]:
    return tuple(_own(candidate, changes) for candidate in candidates)


def _own(candidate: Candidate, changes: Changes) -> Candidate:
    """With what was changed of this one."""
    edits = {key: edit.value for key, edit in changes.edits.get(candidate.name, {}).items()}
    if candidate.name in changes.paused:
        edits["paused"] = True
    made: Candidate = msgspec.structs.replace(candidate, **edits) if edits else candidate
    return made


def _with_trials(snapshot: Snapshot, changes: Changes) -> Snapshot:
    """A trial is anew at each restart of its candidate, and all are whenever roles have changed."""
    production = snapshot.production
    made: Snapshot = msgspec.structs.replace(
        snapshot,
        candidates=tuple(_tried(one, production, changes) for one in snapshot.candidates),
        twin=snapshot.twin and _tried(snapshot.twin, production, changes),
    )
    return made


def _tried(candidate: Candidate, production: Production, changes: Changes) -> Candidate:
    restarts = changes.restarts.get(candidate.name, 0) + changes.roles
    if not restarts and all(one.candidate.name != candidate.name for one in changes.added):
        return candidate  # the file's own trial
    trial = trial_id(production.name, production.urls, production.version, candidate, restarts)
    made: Candidate = msgspec.structs.replace(candidate, trial=trial)
    return made
