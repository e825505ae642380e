"""A canary ramp's driver: it holds each share for its time, and lets the candidate's live verdict decide.

    FAIL, or a gate that what happens now breaks        ──▶ rolled back at once
    the share was held, and judged since it began       ──▶ the next share; after the last one, a promotion

Law: what is known of a ramp lies with the supervisor, so a driver that dies is succeeded by one that goes on. While
nobody judges, nothing rises.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog

from .asking import CHANGE_S, NoAnswerError, RefusedError
from .tasks import end
from .view import View

LOOK_S: Final = 0.5
BY: Final = "ramp"

_log = structlog.get_logger()


class Rollout:
    def __init__(self, view: View) -> None:
        self._view = view
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="admin.rollout")

    async def close(self) -> None:
        await end(self._task)
        self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if self._view.snapshot.ramp is None:
                continue
            try:
                await self.look()
            except RefusedError as e:
                _log.warning("ramp.waits", problems=list(e.problems))
            except NoAnswerError as e:
                _log.warning("ramp.waits", problems=[str(e)])
            except Exception:  # noqa: BLE001 - this task's root: an unwatched ramp is worse than a loud one
                _log.exception("ramp.fault")

    async def look(self) -> None:
        """One look, and what follows from it."""
        ramp = (await self._view.status())["ramp"]
        if ramp is None:
            return
        name = ramp["candidate"]
        evidence = await self._view.evidence(name)
        verdict = await self._view.verdicts.of(name)
        if evidence["verdict"] == "FAIL" or (verdict is not None and has_turned(verdict)):
            await self._ask("rollback", ramp, evidence, reason=evidence["headline"] or "its gates")
        elif verdict is not None and is_due(ramp, self._view.verdicts.judged_at_s * 1000, time.time() * 1000):
            await self._ask("climb", ramp, evidence)
        else:
            self._view.verdicts.hurry()

    async def _ask(self, verb: str, ramp: Mapping[str, Any], evidence: Mapping[str, Any], **more: Any) -> None:
        wish = {"candidate": ramp["candidate"], "step": ramp["step"], "by": BY, "evidence": evidence, **more}
        await self._view.asker.ask(verb, CHANGE_S, {**wish, "force": ramp["forced"]})


def has_turned(record: Mapping[str, Any]) -> bool:
    """Whether a gate drifts with its lower bound beyond the limit: a model that was well and no longer is.

    Such a trial never FAILs, for no one value explains both (JUDGEMENT: low > high is INCONCLUSIVE, `drift`). That is
    fair to evidence, and no reason to leave users with it.
    """
    return any(
        gate.get("reason") == "drift"
        and None not in (gate.get("low"), gate.get("limit"))
        and gate["low"] > gate["limit"]
        for gate in record.get("gates") or ()
    )


def is_due(ramp: Mapping[str, Any], judged_at_ms: float, now_ms: float) -> bool:
    """Whether the share was held for its time and judged within it."""
    return bool(judged_at_ms > ramp["since_ms"] and now_ms >= ramp["since_ms"] + ramp["hold_s"] * 1000)
