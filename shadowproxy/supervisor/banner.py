"""What the operator sees once everything runs: at most six lines."""

from __future__ import annotations

from typing import Final

import shadowproxy
from shadowproxy.settings.snapshot import Candidate, Snapshot

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def banner(snapshot: Snapshot) -> list[str]:
    scheme = "https" if snapshot.tls else "http"
    workers = f"{snapshot.workers} worker" + ("s" if snapshot.workers != 1 else "")
    urls = ", ".join(snapshot.production.urls)
    mirrors = [*snapshot.candidates, *([snapshot.twin] if snapshot.twin else [])]
    limits, admin = snapshot.limits, snapshot.admin.listen
    bodies = f"≤ {size(limits.body)}" if limits.body else "of any size"
    return [
        f"shadowproxy {shadowproxy.__version__} listens on {scheme}://{snapshot.listen} ({workers})",
        f"  admin       {'http://' + admin if admin else 'off'}",
        f"  production  {snapshot.production.name}  {urls}",
        f"  candidates  {' · '.join(_mirror(mirror) for mirror in mirrors) or 'none: requests are only passed on'}",
        f"  pair log    {snapshot.pairs.dir}",
        f"  limits      {limits.connections:,} connections · request bodies {bodies}"
        f" · {size(snapshot.mirror.max_buffered)} held for mirroring a worker",
    ]


def facts(snapshot: Snapshot) -> dict[str, object]:
    """The same for programs: the fields of the event `proxy.ready`."""
    return {
        "version": shadowproxy.__version__,
        "listen": snapshot.listen,
        "workers": snapshot.workers,
        "admin": snapshot.admin.listen,
        "production": {"name": snapshot.production.name, "urls": list(snapshot.production.urls)},
        "twin": snapshot.twin.url if snapshot.twin else None,
        "candidates": {mirror.name: {"url": mirror.url, "sample": mirror.sample} for mirror in snapshot.candidates},
        "pairs": snapshot.pairs.dir,
        "connections": snapshot.limits.connections,
    }


def _mirror(mirror: Candidate) -> str:
    return f"{mirror.name} {percent(mirror.sample)}{' paused' if mirror.paused else ''}  {mirror.url}"


def percent(share: float) -> str:
    return f"{share * 100:.4g} %"


def size(count: int) -> str:
    """`1.5 MiB`: the largest unit in which the number is at least 1."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.4g} {_UNITS[unit]}"
