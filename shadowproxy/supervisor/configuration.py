"""The configuration in force, and what of a new one can take effect in running processes.

`configured` is what the operator wrote, `current` what children serve with: real ports, and no more connections than
there are files for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from shadowproxy.settings.snapshot import Limits, Snapshot, encode

from .files import fitting_connections

_Record = TypeVar("_Record")

# Sockets and processes are made once, at the start.
_FIXED: Final[dict[str, Callable[[Snapshot], object]]] = {
    "listen": lambda snapshot: snapshot.listen,
    "workers": lambda snapshot: snapshot.workers,
    "admin.listen": lambda snapshot: snapshot.admin.listen or "off",
    "pairs.recorders": lambda snapshot: snapshot.pairs.recorders,
}


def takes_a_restart(old: Snapshot, new: Snapshot) -> list[str]:
    """A sentence for each setting that differs and is only read at the start."""
    return [
        f"{key}: {read(old)} became {read(new)}, which takes effect at a restart only"
        for key, read in _FIXED.items()
        if read(old) != read(new)
    ]


def takes_new_workers(old: Snapshot, new: Snapshot) -> bool:
    """Whether what has changed is read by a worker only when it begins: its sockets speak TLS or they do not."""
    return (old.tls is None) is not (new.tls is None)


class Configuration:
    def __init__(self, configured: Snapshot, files: int, listen: str, admin: str | None) -> None:
        """`files`: how many a worker may open; `listen`, `admin`: where the sockets really are."""
        self._files = files
        self._listen = listen
        self._admin = admin
        self.configured = configured
        self.current = self.effective(configured, configured.generation)
        self.encoded = encode(self.current)

    def effective(self, configured: Snapshot, generation: int) -> Snapshot:
        connections = fitting_connections(configured, self._files)
        return _replaced(
            configured,
            generation=generation,
            listen=self._listen,
            admin=_replaced(configured.admin, listen=self._admin),
            limits=_limited(configured.limits, connections),
        )

    def take(self, configured: Snapshot, effective: Snapshot) -> None:
        self.configured, self.current = configured, effective
        self.encoded = encode(effective)

    @property
    def lowered_from(self) -> int | None:
        """What `limits.connections` was, where there are not files enough for it."""
        wanted = self.configured.limits.connections
        return wanted if wanted != self.current.limits.connections else None


def _limited(limits: Limits, connections: int) -> Limits:
    return limits if connections == limits.connections else _replaced(limits, connections=connections)


def _replaced(record: _Record, **changes: object) -> _Record:
    """A copy of an immutable record of the snapshot with other values."""
    names: tuple[str, ...] = record.__struct_fields__  # type: ignore[attr-defined]
    return type(record)(**{**{name: getattr(record, name) for name in names}, **changes})
