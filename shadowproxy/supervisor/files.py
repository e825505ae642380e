"""How many connections fit into the files that this process and its children may open.

At EMFILE a worker's loop accepts and closes connections unseen, so the limit is raised first, and `limits.connections`
is lowered to what fits.
"""

from __future__ import annotations

import resource
from typing import Final

from shadowproxy.settings.snapshot import Snapshot

RESERVED: Final = 128  # per worker: loop, control, recorder, listening and log sockets, name look-ups, a margin
UNLIMITED: Final = 1 << 20  # taken where the hard limit is infinite


def raise_limit() -> int:
    """Raise RLIMIT_NOFILE to its hard limit, for us and for all children; returns how many files that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft >= want:
        return want
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))
    except (OSError, ValueError):
        return soft
    return want


def fitting_connections(snapshot: Snapshot, files: int) -> int:
    """`limits.connections`, or as many as `files` per worker leave room for; never less than one a worker.

    A worker holds its share of production's connections twice: a long upload keeps a duplicate of its socket.
    """
    mirrors = [*snapshot.candidates, *([snapshot.twin] if snapshot.twin else [])]
    copies = sum(_share(mirror.max_in_flight, snapshot.workers) for mirror in mirrors)
    upstream = 2 * _share(snapshot.production.connections, snapshot.workers)
    room = max(1, files - RESERVED - upstream - copies)
    return min(snapshot.limits.connections, room * snapshot.workers)


def _share(whole: int, workers: int) -> int:
    return -(-whole // workers)
