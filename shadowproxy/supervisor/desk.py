"""The desk: where operators' wishes are granted, one after the other, in every process or in none.

    a wish ──▶ changes (settings.steering) ──▶ staged on the disk ──▶ Prepare, Commit (reload.py) ──▶ kept, told

The kill switch goes ahead of all this: workers are hushed at once, whatever a recorder or an upload under way does to
the rest, and stay so until a configuration that says the same is in force.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.settings.steering.apply import apply
from shadowproxy.settings.steering.audit import changed
from shadowproxy.settings.steering.changes import Changes
from shadowproxy.settings.steering.drift import drift
from shadowproxy.settings.steering.rebase import rebase, reset
from shadowproxy.settings.steering.verbs import VERBS, Conflict, Wish, grant
from shadowproxy.wire.messages import Hush

from .configuration import Configuration
from .crew import Crew, Events
from .errors import RefusedError, StartError
from .reload import Loader, Reload
from .store import Store

AUDITED: Final = 200  # changes that are told to whoever asks
RETRY_S: Final = 5.0

_WARM: Final = frozenset({"promote", "climb", "rollback"})


class ElsewhereError(RefusedError):
    """Somebody else has changed something meanwhile: what was to be changed is no longer what was looked at."""


class UnknownError(RefusedError):
    """The wish names what is not there."""


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def timestamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Desk:
    """`began` (ms since 1970) tells this proxy's revisions from those of the life before it."""

    def __init__(self, file: Snapshot, store: Store, began: int, events: Events) -> None:
        """Raises StartError where the file and what operators changed do not fit together."""
        self.file = file
        self._store = store
        self._began = began
        self._events = events
        self._lock = asyncio.Lock()
        self._hushed: set[str] = set()
        self._unsettled = False
        self.audit: deque[dict[str, Any]] = deque(maxlen=AUDITED)
        self._audited = 0
        self.is_closed: Callable[[], bool] = lambda: False
        self._crew: Crew
        self._reload: Reload
        self._configuration: Configuration
        changes = store.read()
        try:
            self.changes, settled = rebase(changes, file)
        except Conflict as e:
            raise StartError(f"{e} (What operators changed lies in {file.state}.)") from e
        if settled:
            events("info", "drift.settled", keys=settled)

    @property
    def steered(self) -> Snapshot:
        """What is to be in force."""
        return apply(self.file, self.changes)

    def attend(self, crew: Crew, reload: Reload, configuration: Configuration) -> None:
        """From now on wishes can be granted."""
        self._crew, self._reload, self._configuration = crew, reload, configuration

    @property
    def revision(self) -> str:
        """What is in force, by a name that is never used twice."""
        return f"{self._began:x}-{self._configuration.current.generation}"

    # -- wishes ----------------------------------------------------------------------------------------------------

    async def wish(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Grant it; the answer names generation and revision. `body`: the verb's own keys, and

        `by` (who), `revision` (only if this is still in force; absent: whatever is), `evidence` (of a promotion).
        Raises RefusedError, ElsewhereError, UnknownError; nothing has changed then.
        """
        kill = verb == "pause" or bool(verb == "edit" and body.get("paused"))
        if kill:
            self.check(body.get("revision"))
            self._hush(body)
        async with self._lock:
            try:
                self.check(body.get("revision"))
                old, changes = self.changes, self._granted(verb, body)
                before, after = self.steered, apply(self.file, changes)
                pending: list[str] = []
                if kill:  # again: another's, refused while this one waited, has taken its hush back
                    self._hush(body)
                if changes != old:
                    pending = await self._take(self.file, changes, after, warm=verb in _WARM, must_hold=not kill)
            except RefusedError:  # test_a_pause_that_is_refused_silences_nobody
                if kill:
                    self._settle_hush()
                raise
            at = now_ms()
            self._tell(verb, body, before, after, at)
            action = _action(old, changes)
            if action is not None:
                self._remember(action, body, before, after, at)
            return {**self.told(), "pending": pending}

    def _granted(self, verb: str, body: Mapping[str, Any]) -> Changes:
        at = now_ms()
        wish = Wish(
            file=self.file,
            changes=self.changes,
            body=body,
            by=str(body.get("by", "")),
            at=timestamp(at),
            now_ms=at,
        )
        try:
            return grant(verb, wish)
        except Conflict as e:
            raise (UnknownError if e.unknown else RefusedError)([str(e)]) from e

    def check(self, revision: str | None) -> None:
        if self.is_closed():
            raise RefusedError(["the proxy is about to end"])
        if revision is not None and revision != self.revision:
            raise ElsewhereError([f"the configuration in force is {self.revision}, no longer {revision}"])

    async def _take(
        self, file: Snapshot, changes: Changes, after: Snapshot, *, warm: bool = False, must_hold: bool = True
    ) -> list[str]:
        """Put it in force and keep it. What the kill switch wants is done also where not everybody could prepare, and
        is kept in memory alone where nothing can be written."""
        pending: list[str] = []
        is_staged = True
        try:
            await asyncio.to_thread(self._store.stage, changes)
        except OSError as e:
            why = f"what was changed cannot be written down: {e.filename}: {e.strerror or e}"
            if must_hold:
                raise RefusedError([why]) from e
            is_staged = False
            self._store.discard()
            pending.append(f"{why}; it ends with this proxy")
            self._events("error", "state.unwritable", error=str(e))
        try:
            await self._reload.apply(after, warm=warm)
        except RefusedError as e:
            if must_hold:
                self._store.discard()
                raise
            pending += e.problems
            self._unsettled = True
            self._events("warning", "pause.pending", problems=pending)
        else:
            self._unsettled = False
        self.file, self.changes = file, changes
        try:
            if is_staged:
                await asyncio.to_thread(self._store.keep)
        except OSError as e:
            self._events("error", "state.unwritable", error=str(e))
        self._settle_hush()
        return pending

    # -- the kill switch -------------------------------------------------------------------------------------------

    def _hush(self, body: Mapping[str, Any]) -> None:
        wanted = body.get("candidate")
        snapshot = self._configuration.current
        names = {one.name for one in snapshot.candidates if wanted in (None, one.name)}
        names |= {one.name for one in (snapshot.twin,) if one is not None and wanted == one.name}
        if not names <= self._hushed:
            self._hushed |= names
            self._send_hush()

    def _settle_hush(self) -> None:
        """What the configuration in force says itself, or an operator has taken back, needs no hush."""
        snapshot = self._configuration.current
        paused = {one.name for one in (*snapshot.candidates, snapshot.twin) if one is not None and one.paused}
        left = (self._hushed & self.changes.paused.keys()) - paused
        if left != self._hushed:
            self._hushed = left
            self._send_hush()

    def _send_hush(self) -> None:
        for life in self._crew.workers():
            life.send(Hush(tuple(sorted(self._hushed))))

    def greet(self) -> None:
        """A worker that has just begun may have begun with a configuration from before the kill switch."""
        if self._hushed:
            self._send_hush()

    async def settle(self) -> None:
        """Until cancelled: a pause that not everybody could prepare for is tried again."""
        while True:
            await asyncio.sleep(RETRY_S)
            if self._unsettled and not self.is_closed():
                async with self._lock:
                    try:
                        await self._reload.apply(self.steered)
                    except RefusedError:
                        continue
                    self._unsettled = False
                    self._settle_hush()

    # -- the file --------------------------------------------------------------------------------------------------

    async def reload(self, load: Loader, body: Mapping[str, Any]) -> dict[str, Any]:
        """Read the file again. `reset`: and forget what operators changed. Raises as `wish` does."""
        async with self._lock:
            self.check(body.get("revision"))
            before = self.steered
            file = await asyncio.to_thread(load)
            self.check(None)
            try:
                base = reset(self.changes) if body.get("reset") else self.changes
                changes, settled = rebase(base, file)
            except Conflict as e:
                raise RefusedError([str(e)]) from e
            after = apply(file, changes)
            await self._take(file, changes, after)
            self._tell("reload", body, before, after, now_ms())
            return {**self.told(), "settled": settled}

    # -- what is told ----------------------------------------------------------------------------------------------

    def told(self) -> dict[str, Any]:
        return {"generation": self._configuration.current.generation, "revision": self.revision}

    def status(self) -> dict[str, Any]:
        ramp = self.changes.ramp
        return {
            "revision": self.revision,
            "drift": drift(self.file, self.changes),
            "audit": list(self.audit),
            "unsettled": self._unsettled,
            "promoted": [{"name": swap.name, "was": swap.was, "at": swap.at} for swap in self.changes.swaps],
            "ramp": None
            if ramp is None
            else {
                "candidate": ramp.name,
                "steps": list(ramp.steps),
                "step": ramp.step,
                "share": ramp.share,
                "hold_s": ramp.hold_s,
                "since": timestamp(ramp.since_ms),
                "since_ms": ramp.since_ms,
                "began": timestamp(ramp.began_ms),
                "forced": ramp.forced,
                "by": ramp.by,
            },
        }

    def history(self) -> list[dict[str, Any]]:
        """The oldest first."""
        return list(self._store.history)

    def _tell(self, verb: str, body: Mapping[str, Any], before: Snapshot, after: Snapshot, at: int) -> None:
        self._audited += 1
        record = {
            "seq": self._audited,
            "at": timestamp(at),
            "by": str(body.get("by", "")),
            "what": verb,
            "candidate": body.get("candidate"),
            "changed": changed(before, after),
        }
        self.audit.append(record)
        told = {name: value for name, value in record.items() if name not in ("seq", "at")}
        self._events("info", "audit", **told)

    def _remember(self, action: str, body: Mapping[str, Any], before: Snapshot, after: Snapshot, at: int) -> None:
        """Who answers users has changed: a line of history."""
        evidence = body.get("evidence") or {}
        first, decided = evidence.get("first_copy_ms"), evidence.get("decided_ms")
        ramp = after.ramp or before.ramp
        name = after.production.name if action in ("promoted", "rolled_back") else ramp and ramp.candidate
        record: dict[str, Any] = {
            "v": 1,
            "at": timestamp(at),
            "action": action,
            "from": before.production.name,
            "to": name,
            "trial": evidence.get("trial"),
            "verdict": evidence.get("verdict"),
            "pairs": evidence.get("pairs"),
            "to_verdict_s": None if first is None or decided is None else (decided - first) / 1000,
            "to_promotion_s": None if first is None else (at - first) / 1000,
            "by": str(body.get("by", "")),
            "forced": body.get("force"),
            "reason": body.get("reason"),
            "share": None if after.ramp is None else after.ramp.share,
        }
        try:
            self._store.remember(record)
        except OSError as e:
            self._events("error", "state.unwritable", error=str(e))
        self._events("info", f"role.{action}", **{k: v for k, v in record.items() if k not in ("v", "at", "action")})


def _action(before: Changes, after: Changes) -> str | None:
    """What became of who answers: `promoted`, `rolled_back`, `ramp_began`, `ramp_raised`, `ramp_ended`, or nothing."""
    if len(before.swaps) != len(after.swaps):
        return "promoted" if len(after.swaps) > len(before.swaps) else "rolled_back"
    if before.ramp is None and after.ramp is None:
        return None
    if after.ramp is None:
        return "ramp_ended"
    if before.ramp is None:
        return "ramp_began"
    return "ramp_raised" if before.ramp.step != after.ramp.step else None


assert "reload" not in VERBS, "the file is read by the desk itself"
