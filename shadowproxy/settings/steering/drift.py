"""How the proxy that runs differs from its file, key by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shadowproxy.core.ledger import TWIN
from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.settings.units import format_share

from .changes import Changes

Difference = dict[str, Any]


def drift(file: Snapshot, changes: Changes) -> list[Difference]:
    """`{key, file, running, by, at}` each; None where one of the two has no such key. Values as a file spells them."""
    return list(_differences(file, changes))


def _differences(file: Snapshot, changes: Changes) -> Iterator[Difference]:
    if changes.swaps:
        last = changes.swaps[-1]
        yield _difference("production", file.production.name, last.name, last.by, last.at)
    if changes.ramp is not None:
        ramp = changes.ramp
        yield _difference("ramp", None, f"{ramp.name} {format_share(ramp.share)}", ramp.by, ramp.at)
    for added in changes.added:
        one = added.candidate
        yield _difference(f"candidates[{one.name}]", None, one.url, added.by, added.at)
    for gone in changes.removed:
        yield _difference(f"candidates[{gone.was.name}]", gone.was.url, None, gone.by, gone.at)
    for name, edits in changes.edits.items():
        for key, edit in edits.items():
            yield _difference(
                f"candidates[{name}].{key}", _spelled(key, edit.base), _spelled(key, edit.value), edit.by, edit.at
            )
    for name, pause in changes.paused.items():
        path = TWIN if name == TWIN else f"candidates[{name}]"
        yield _difference(f"{path}.paused", False, True, pause.by, pause.at)


def _spelled(key: str, value: Any) -> Any:
    return format_share(value) if key == "sample" and value is not None else value


def _difference(key: str, file: Any, running: Any, by: str, at: str) -> Difference:
    return {"key": key, "file": file, "running": running, "by": by, "at": at}
