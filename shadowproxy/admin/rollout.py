"""A canary ramp's driver: it holds each share for its time, and lets the candidate's live verdict decide.

    FAIL of the trial, or of what came since the ramp began, or a gate that drifts beyond    ──▶ rolled back at once
    the share was held, and both were judged since it began       ──▶ the next share; after the last one, a promotion

What came since the ramp began is judged apart, by the same gates: a trial that was well for days takes as long to show
that it no longer is, and users have its answers meanwhile.

Law: what is known of a ramp lies with the supervisor, so a driver that dies is succeeded by one that goes on. While
nobody judges, nothing rises.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import structlog

from .asking import CHANGE_S, NoAnswerError, RefusedError
from .tasks import end
from .verdicts import Verdicts, ask
from .view import View

LOOK_S: Final = 0.5
BY: Final = "ramp"
FAIL: Final = "FAIL"

_log = structlog.get_logger()


class Rollout:
    def __init__(self, view: View) -> None:
        self._view = view
        self._task: asyncio.Task[None] | None = None
        self._of = ""  # when the ramp began that `since` is about
        self.since: Verdicts | None = None  # verdicts on what came since then

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="admin.rollout")

    async def close(self) -> None:
        await end(self._task)
        self._task = None
        await self._attend(None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if self._view.snapshot.ramp is None:
                    await self._attend(None)
                    continue
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
        since = await self._attend(ramp)
        if ramp is None or since is None:
            return
        name = ramp["candidate"]
        evidence = await self._view.evidence(name)
        verdict, lately = await self._view.verdicts.of(name), await since.of(name)
        judged_at_s = min(self._view.verdicts.judged_at_s, since.judged_at_s)
        if evidence["verdict"] == FAIL or (verdict is not None and has_turned(verdict)):
            await self._ask("rollback", ramp, evidence, reason=evidence["headline"] or "its gates")
        elif lately is not None and lately["verdict"] == FAIL:
            found = {name: lately[name] for name in ("verdict", "headline", "pairs")}
            why = f"Since the ramp began: {lately['summary']}"
            await self._ask("rollback", ramp, {**evidence, **found}, reason=why)
        elif verdict is not None and is_due(ramp, judged_at_s * 1000, time.time() * 1000):
            await self._ask("climb", ramp, evidence)
        else:
            self._view.verdicts.hurry()
            since.hurry()

    async def _attend(self, ramp: Mapping[str, Any] | None) -> Verdicts | None:
        """The verdicts on what came since this very ramp began; those of another are over."""
        began = "" if ramp is None else ramp["began"]
        if began != self._of:
            if self.since is not None:
                await self.since.close()
            self._of, self.since = began, None
            if began:
                self.since = Verdicts(lambda: self._view.snapshot, partial(ask, since=began))
                self.since.start()
        return self.since

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
