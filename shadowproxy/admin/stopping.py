"""A mirror that has run its time, or has its verdict, pauses itself (`stop.after`, `stop.on`).

Law: each cause stops a trial once. An operator who resumes it has decided otherwise, also for the lives of this process
that follow: `state`/stops.json remembers. A trial's age counts from its first pair, or, before there is one and for the
twin, which has no verdict, from when it was first seen here.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from shadowproxy.settings.snapshot import Candidate
from shadowproxy.settings.units import format_duration

from .asking import CHANGE_S, Asker, NoAnswerError, RefusedError
from .candidates import mirrors
from .judged import began
from .notices.memory import write
from .reading import Reading

FILE: Final = "stops.json"
BY: Final = "stop"
AFTER: Final = "after"
AGAIN_S: Final = 30.0  # what was refused is asked for again
STOPPED: Final = "stopped"  # as notices call it

_log = structlog.get_logger()


class Trial(msgspec.Struct):
    """What is remembered of a candidate's, or the twin's, present trial."""

    trial: str
    seen: float  # first, in seconds since 1970
    causes: list[str] = []  # that have stopped it: PASS, FAIL, after


class Stopping:
    def __init__(self, state: str, asker: Asker) -> None:
        self._state = state
        self._asker = asker
        self._trials = _read(state)
        self._refused_at: dict[str, float] = {}
        self.stopped: list[dict[str, Any]] = []  # for notices: what has been stopped and not been told yet

    async def look(self, reading: Reading) -> None:
        before = msgspec.json.encode(self._trials)
        self._notice_trials(reading)
        for candidate in mirrors(reading.snapshot):
            cause = self._cause(candidate, reading)
            if cause is not None and not candidate.paused and not _is_ramped(candidate, reading):
                await self._stop(candidate, cause, reading)
        data = msgspec.json.encode(self._trials)
        if data != before:
            await asyncio.to_thread(self._remember, data)

    def _notice_trials(self, reading: Reading) -> None:
        present = {candidate.name: candidate for candidate in mirrors(reading.snapshot)}
        self._trials = {name: known for name, known in self._trials.items() if name in present}
        for name, candidate in present.items():
            known = self._trials.get(name)
            if known is None or known.trial != candidate.trial:
                self._trials[name] = Trial(candidate.trial, reading.at)

    def _cause(self, candidate: Candidate, reading: Reading) -> str | None:
        """Why it is to be stopped now, None when it is not, or was for that already."""
        known = self._trials[candidate.name]
        record = reading.verdicts.get(candidate.name) or {}
        verdict = record.get("verdict")
        if verdict in candidate.stop_on and verdict not in known.causes:
            return str(verdict)
        since = began(record) or known.seen
        is_over = candidate.stop_after is not None and reading.at - since >= candidate.stop_after
        return AFTER if is_over and AFTER not in known.causes else None

    async def _stop(self, candidate: Candidate, cause: str, reading: Reading) -> None:
        if reading.is_within(AGAIN_S, self._refused_at.get(candidate.name, 0.0)):
            return
        record = reading.verdicts.get(candidate.name) or {}
        why = f"its verdict is {cause}"
        if cause == AFTER:
            why = f"it has run for {format_duration(candidate.stop_after or 0.0)}"
        try:
            await self._asker.ask("pause", CHANGE_S, {"candidate": candidate.name, "by": BY})
        except (NoAnswerError, RefusedError) as e:
            self._refused_at[candidate.name] = reading.at
            _log.warning("mirror.not_stopped", candidate=candidate.name, because=str(e), again_in_s=AGAIN_S)
            return
        self._trials[candidate.name].causes.append(cause)
        _log.info("mirror.stopped", candidate=candidate.name, why=why)
        facts = {"trial": candidate.trial, "verdict": record.get("verdict"), "why": why}
        self.stopped.append({"action": STOPPED, "to": candidate.name, "headline": record.get("headline"), **facts})

    def _remember(self, data: bytes) -> None:
        try:
            write(self._state, FILE, data)
        except OSError as e:
            _log.warning("stops.unwritable", dir=self._state, why=e.strerror or str(e))

    def take(self) -> list[dict[str, Any]]:
        """What has not been told yet."""
        taken, self.stopped = self.stopped, []
        return taken


def _is_ramped(candidate: Candidate, reading: Reading) -> bool:
    """It answers users: what becomes of it is the ramp's to decide."""
    ramp = reading.snapshot.ramp
    return ramp is not None and ramp.candidate == candidate.name


def _read(state: str) -> dict[str, Trial]:
    if not state:
        return {}
    try:
        return msgspec.json.decode((Path(state) / FILE).read_bytes(), type=dict[str, Trial])
    except (OSError, msgspec.MsgspecError):
        return {}
