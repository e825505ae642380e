"""A reading: everything that is known at one moment, for whoever shows, pushes or watches figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shadowproxy.settings.snapshot import Snapshot

from .deployments import deployments
from .verdicts import Records
from .view import View


@dataclass(frozen=True, slots=True)
class Reading:
    snapshot: Snapshot
    status: Mapping[str, Any]  # what the supervisor knows (`supervisor/status.py`)
    verdicts: Records = field(default_factory=dict)
    deployments: Mapping[str, int] = field(default_factory=dict)  # by action
    at: float = 0.0  # seconds since 1970

    def is_within(self, seconds: float, since: float) -> bool:
        """Whether less than that has passed since then. A clock that was set back has passed whatever there was."""
        return 0.0 <= self.at - since < seconds


async def take(view: View) -> Reading:
    """NoAnswerError when the supervisor does not answer."""
    snapshot = view.snapshot
    status = await view.status()
    history = await asyncio.to_thread(deployments, snapshot.state)
    return Reading(snapshot, status, await view.verdicts.all(), history, time.time())
