"""What handlers see of the proxy: the configuration in force and the way to ask the supervisor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from shadowproxy.settings.snapshot import Candidate, Snapshot

from .asking import Asker
from .decisions import Decisions
from .problems import Refusal
from .verdicts import Verdicts


@dataclass(slots=True)
class View:
    """`snapshot` is replaced when a new configuration takes effect; a request reads it once."""

    snapshot: Snapshot
    asker: Asker
    verdicts: Verdicts = field(init=False)
    decisions: Decisions = field(init=False)

    def __post_init__(self) -> None:
        self.verdicts = Verdicts(lambda: self.snapshot)  # tells nothing until it is started
        self.decisions = Decisions()
        self.verdicts.subscribe(self.decisions.note)

    def candidate(self, name: str) -> Candidate:
        """The one of that name in force now; without one the request ends with 404."""
        for candidate in self.snapshot.candidates:
            if candidate.name == name:
                return candidate
        raise Refusal(404, f"There is no candidate {name}.")

    async def status(self) -> dict[str, Any]:
        """Everything the supervisor knows (`supervisor/status.py`)."""
        told: dict[str, Any] = await self.asker.ask("status")
        return told

    async def history(self) -> list[dict[str, Any]]:
        """Who answered users since when, the oldest first."""
        items: list[dict[str, Any]] = (await self.asker.ask("history"))["items"]
        return items

    async def evidence(self, candidate: str) -> dict[str, Any]:
        """What a promotion rests on: the present trial's verdict and pairs, and when it began and was decided (ms)."""
        record = await self.verdicts.of(candidate)
        if record is None:
            return dict.fromkeys(("verdict", "headline", "trial", "pairs", "first_copy_ms", "decided_ms"))
        began = (record.get("window") or {}).get("from")
        return {
            "verdict": record.get("verdict"),
            "headline": record.get("headline"),
            "trial": record["trial"],
            "pairs": record.get("pairs"),
            "first_copy_ms": None if began is None else round(datetime.fromisoformat(began).timestamp() * 1000),
            "decided_ms": self.decisions.of(record["trial"]),
        }

    async def readiness(self) -> dict[str, Any]:
        told: dict[str, Any] = await self.asker.ask("readiness")
        return told


VIEW: web.AppKey[View] = web.AppKey("view", View)
