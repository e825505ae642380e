"""What an operator may wish for: each verb is a function from the changes so far to the changes that grant it.

A verb that cannot be granted raises Conflict; nothing has changed then. `Wish.file` is the file's snapshot,
`Wish.current` the one in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from shadowproxy.core.ledger import TWIN
from shadowproxy.settings.snapshot import Candidate, Snapshot

from .apply import apply
from .changes import Added, Changes, Climb, Edit, Pause, Removed, Swap

MAX_CANDIDATES: Final = 64  # a frame's role is one byte, and each candidate costs every request a decision
RESERVED: Final = (TWIN, "production")


class Conflict(Exception):
    """The wish does not fit what is in force; one sentence. `unknown`: it names a candidate that is not there."""

    def __init__(self, sentence: str, *, unknown: bool = False) -> None:
        super().__init__(sentence)
        self.unknown = unknown


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    file: Snapshot
    changes: Changes
    body: Mapping[str, Any]
    by: str
    at: str  # RFC 3339, UTC
    now_ms: int

    @property
    def current(self) -> Snapshot:
        return apply(self.file, self.changes)

    def is_of_twin(self) -> bool:
        return self.body.get("candidate") == TWIN and self.current.twin is not None

    def candidate(self) -> Candidate:
        """The one that the body names."""
        name = self.body.get("candidate")
        found = next((one for one in self.current.candidates if one.name == name), None)
        if found is None:
            if name == TWIN and self.current.twin is not None:
                raise Conflict("The twin is no candidate: it can be paused and resumed.", unknown=True)
            if name == self.current.production.name:
                raise Conflict(f"{name} is production.", unknown=True)
            known = ", ".join(one.name for one in self.current.candidates) or "there is none"
            raise Conflict(f"There is no candidate {name} (candidates: {known}).", unknown=True)
        return found

    def names(self) -> list[str]:
        """The candidate or twin that the body names, or all candidates."""
        if self.body.get("candidate") is None:
            return [one.name for one in self.current.candidates]
        return [TWIN if self.is_of_twin() else self.candidate().name]


def edit(wish: Wish) -> Changes:
    """`{candidate, sample?, gated?, paused?}`"""
    name = wish.candidate().name
    changes = wish.changes
    for key in ("sample", "gated"):
        if key in wish.body:
            changes = _edit(
                wish.file, changes, name, Edit(value=wish.body[key], base=None, by=wish.by, at=wish.at), key
            )
    if "paused" in wish.body:
        paused = dict(changes.paused)
        paused.pop(name, None)
        if wish.body["paused"]:
            changes = _without_ramp(changes, [name])
            paused[name] = wish.changes.paused.get(name) or Pause(by=wish.by, at=wish.at)
        changes = changes.replace(paused=paused)
    return changes


def _edit(file: Snapshot, changes: Changes, name: str, made: Edit, key: str) -> Changes:
    others = {known: dict(edits) for known, edits in changes.edits.items()}
    own = others.setdefault(name, {})
    own.pop(key, None)
    base = base_of(file, changes.replace(edits=others), name, key)
    if base != made.value:
        own[key] = msgspec.structs.replace(made, base=base)
    return changes.replace(edits={known: edits for known, edits in others.items() if edits})


def base_of(file: Snapshot, changes: Changes, name: str, key: str) -> Any:
    """What `key` of the candidate is under `changes`; None where there is no such candidate."""
    found = [one for one in apply(file, changes).candidates if one.name == name]
    return getattr(found[0], key) if found else None


def pause(wish: Wish) -> Changes:
    """`{candidate?}`: the kill switch, for one or all. A ramp of one that is paused ends: it never goes unwatched.

    All are the candidates. Without them the twin has no copies either, and it must not stay behind when one is resumed.
    """
    names = wish.names()
    more = {name: Pause(by=wish.by, at=wish.at) for name in names if name not in wish.changes.paused}
    return _without_ramp(wish.changes, names).replace(paused={**wish.changes.paused, **more})


def _without_ramp(changes: Changes, names: list[str]) -> Changes:
    ramp = changes.ramp
    return changes.replace(ramp=None) if ramp is not None and ramp.name in names else changes


def resume(wish: Wish) -> Changes:
    """`{candidate?}`: one, or all candidates and the twin."""
    names = [*wish.names(), TWIN] if wish.body.get("candidate") is None else wish.names()
    return wish.changes.replace(paused={name: p for name, p in wish.changes.paused.items() if name not in names})


def add(wish: Wish) -> Changes:
    """`{definition}`: a candidate as `settings.snapshot` has it, already checked by itself."""
    candidate = msgspec.convert(wish.body["definition"], Candidate)
    current = wish.current
    taken = {current.production.name, *(one.name for one in current.candidates)}
    if candidate.name in RESERVED:
        raise Conflict(f"The names {' and '.join(RESERVED)} are reserved.")
    if candidate.name in taken:
        raise Conflict(f"The name {candidate.name} is taken.")
    if len(current.candidates) >= MAX_CANDIDATES:
        raise Conflict(f"There are {MAX_CANDIDATES} candidates already, and no more can be added.")
    changes = _without(wish.changes, candidate.name)
    return changes.replace(added=(*changes.added, Added(candidate=candidate, by=wish.by, at=wish.at)))


def remove(wish: Wish) -> Changes:
    """`{candidate}`"""
    name = wish.candidate().name
    changes = wish.changes
    if changes.ramp is not None and changes.ramp.name == name:
        raise Conflict(f"{name} answers users in a ramp: roll it back first.")
    if any(name in (swap.was, swap.name) for swap in changes.swaps):
        raise Conflict(
            f"{name} is what a rollback returns to: it can be removed once the file names the new production."
        )
    in_file = [one for one in wish.file.candidates if one.name == name]
    was_added = any(one.candidate.name == name for one in changes.added)
    changes = _without(changes, name)
    if in_file and not was_added:
        gone = Removed(was=msgspec.structs.replace(in_file[0], trial=""), by=wish.by, at=wish.at)
        changes = changes.replace(removed=(*changes.removed, gone))
    return changes


def _without(changes: Changes, name: str) -> Changes:
    """Nothing that was changed of this candidate stays, but how often its trial began anew."""
    return changes.replace(
        edits={known: edits for known, edits in changes.edits.items() if known != name},
        paused={known: pause for known, pause in changes.paused.items() if known != name},
        added=tuple(one for one in changes.added if one.candidate.name != name),
        restarts={**changes.restarts, name: changes.restarts.get(name, 0) + 1},
    )


def restart(wish: Wish) -> Changes:
    """`{candidate}`: its trial begins anew."""
    name = wish.candidate().name
    count = wish.changes.restarts.get(name, 0) + 1
    return wish.changes.replace(restarts={**wish.changes.restarts, name: count})


def promote(wish: Wish) -> Changes:
    """`{candidate, ramp?: {steps, hold_s}, force?}`. Whether the verdict allows it is asked before, not here."""
    candidate = wish.candidate()
    changes = wish.changes
    if changes.ramp is not None and (wish.body.get("ramp") is not None or changes.ramp.name != candidate.name):
        raise Conflict(f"A ramp of {changes.ramp.name} is under way: roll it back, or promote it at once.")
    if wish.body.get("ramp") is None:
        swap = Swap(name=candidate.name, was=wish.current.production.name, by=wish.by, at=wish.at)
        return changes.replace(swaps=(*changes.swaps, swap), ramp=None, roles=changes.roles + 1)
    _can_be_split(wish.current, candidate)
    ramp = wish.body["ramp"]
    climb = Climb(
        name=candidate.name,
        steps=tuple(ramp["steps"]),
        hold_s=ramp["hold_s"],
        since_ms=wish.now_ms,
        began_ms=wish.now_ms,
        forced=wish.body.get("force"),
        by=wish.by,
        at=wish.at,
    )
    return changes.replace(ramp=climb)


def _can_be_split(snapshot: Snapshot, candidate: Candidate) -> None:
    """Who answers is decided before a byte of the request's body is read, so nothing in the body may matter."""
    if candidate.paused:
        raise Conflict(f"{candidate.name} is paused: resume it first, for a ramp is watched by its copies' evidence.")
    if candidate.sample_key.startswith("json:"):
        raise Conflict(
            f"{candidate.name} is sampled by {candidate.sample_key}, which is in the body: "
            "a ramp splits by id, header or cookie."
        )
    if any(route.match.json for route in snapshot.routes):
        raise Conflict("A route matches by the request's body: a ramp has to know the route from its head.")


def climb(wish: Wish) -> Changes:
    """`{candidate, step}`: a ramp goes on from the step that the body names; beyond the last one it is a promotion."""
    ramp = wish.changes.ramp
    if ramp is None or ramp.name != wish.body.get("candidate") or ramp.step != wish.body.get("step"):
        raise Conflict("The ramp has moved on.")
    if ramp.step + 1 < len(ramp.steps):
        higher = msgspec.structs.replace(ramp, step=ramp.step + 1, since_ms=wish.now_ms)
        return wish.changes.replace(ramp=higher)
    swap = Swap(name=ramp.name, was=wish.current.production.name, by=ramp.by, at=wish.at)
    changes = wish.changes
    return changes.replace(swaps=(*changes.swaps, swap), ramp=None, roles=changes.roles + 1)


def rollback(wish: Wish) -> Changes:
    """End the ramp under way; else undo the newest promotion."""
    changes = wish.changes
    wanted = wish.body.get("candidate")
    if changes.ramp is not None:
        if wanted not in (None, changes.ramp.name):
            raise Conflict(f"A ramp of {changes.ramp.name} is under way, not of {wanted}.")
        return changes.replace(ramp=None)
    if not changes.swaps:
        raise Conflict("There is nothing to roll back: production is who the file says.")
    if wanted not in (None, changes.swaps[-1].name):
        raise Conflict(f"The newest promotion is {changes.swaps[-1].name}'s, not {wanted}'s.")
    return changes.replace(swaps=changes.swaps[:-1], roles=changes.roles + 1)


VERBS: Final[Mapping[str, Callable[[Wish], Changes]]] = {
    "edit": edit,
    "pause": pause,
    "resume": resume,
    "add": add,
    "remove": remove,
    "restart": restart,
    "promote": promote,
    "climb": climb,
    "rollback": rollback,
}


def grant(verb: str, wish: Wish) -> Changes:
    return VERBS[verb](wish)
