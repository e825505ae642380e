"""What a change changed, for the audit: the keys whose value is another one now."""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.settings.snapshot import Candidate, Snapshot

# Never a secret: header values and rewritten bodies are told by the trial, which is another when they change.
_OF_CANDIDATE: Final = ("url", "version", "sample", "paused", "gated", "expect", "trial")


def changed(before: Snapshot, after: Snapshot) -> list[dict[str, Any]]:
    """`{key, before, after}` each, None where there was or is no such key."""
    old, new = _facts(before), _facts(after)
    keys = [*old, *(key for key in new if key not in old)]
    return [{"key": key, "before": old.get(key), "after": new.get(key)} for key in keys if old.get(key) != new.get(key)]


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    production, ramp = snapshot.production, snapshot.ramp
    facts: dict[str, Any] = {
        "production": production.name,
        "production.urls": list(production.urls),
        "production.version": production.version,
        "ramp": None if ramp is None else {"candidate": ramp.candidate, "share": ramp.share},
    }
    for candidate in snapshot.candidates:
        facts |= _of(candidate, f"candidates[{candidate.name}]")
    if snapshot.twin is not None:
        facts |= _of(snapshot.twin, "twin")
    return facts


def _of(candidate: Candidate, path: str) -> dict[str, Any]:
    return {f"{path}.{name}": getattr(candidate, name) for name in _OF_CANDIDATE}
