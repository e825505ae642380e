"""What handlers see of the proxy: the configuration in force and the way to ask the supervisor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from shadowproxy.settings.snapshot import Snapshot

from .asking import Asker
from .verdicts import Verdicts


@dataclass(slots=True)
class View:
    """`snapshot` is replaced when a new configuration takes effect; a request reads it once."""

    snapshot: Snapshot
    asker: Asker
    verdicts: Verdicts = field(init=False)

    def __post_init__(self) -> None:
        self.verdicts = Verdicts(lambda: self.snapshot)  # tells nothing until it is started

    async def status(self) -> dict[str, Any]:
        """Everything the supervisor knows (`supervisor/status.py`)."""
        told: dict[str, Any] = await self.asker.ask("status")
        return told

    async def readiness(self) -> dict[str, Any]:
        told: dict[str, Any] = await self.asker.ask("readiness")
        return told


VIEW: web.AppKey[View] = web.AppKey("view", View)
