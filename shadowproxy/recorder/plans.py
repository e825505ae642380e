"""Which configuration is in force, and the plans of those that pairs on their way still name."""

from __future__ import annotations

from typing import Final

from shadowproxy.recorder.plan import Plan, compile_plan
from shadowproxy.recorder.secret import redaction_key
from shadowproxy.recorder.writer import Emit
from shadowproxy.settings.extensions import own_scores
from shadowproxy.settings.snapshot import Snapshot, decode

_REMEMBERED: Final = 64


class Plans:
    """Raises ValueError (msgspec's ValidationError is one) for a snapshot that cannot be used."""

    def __init__(self, snapshot: Snapshot, emit: Emit) -> None:
        self.snapshot = snapshot
        self._emit = emit
        self._scores = own_scores(lambda name, why: emit("warning", "score.unusable", name=name, why=why))
        self._key = self._key_of(snapshot)
        self._by_bytes: dict[bytes, Plan] = {}
        self._refreshed: dict[int, Plan] = {}
        compile_plan(snapshot, snapshot.pairs, self._key, self._scores)

    def of(self, encoded: bytes) -> Plan:
        """The plan of a snapshot as a worker sent it."""
        plan = self._by_bytes.get(encoded)
        if plan is None:
            plan = self._compile(decode(encoded))
            if len(self._by_bytes) >= _REMEMBERED:
                self._by_bytes.clear()
            self._by_bytes[encoded] = plan
        return plan

    def current(self, plan: Plan) -> Plan:
        """The plan as it is to be carried out now: a commit may have come after it was made."""
        return plan if plan.in_force is self.snapshot.pairs else self._renewed(plan)

    def _renewed(self, plan: Plan) -> Plan:
        renewed = self._refreshed.get(id(plan.snapshot))
        if renewed is None or renewed.snapshot is not plan.snapshot:
            renewed = self._refreshed[id(plan.snapshot)] = self._compile(plan.snapshot)
        return renewed

    def check(self, snapshot: Snapshot) -> None:
        """Whether `commit` would succeed."""
        compile_plan(snapshot, snapshot.pairs, self._key, self._scores)

    def commit(self, snapshot: Snapshot) -> None:
        if (snapshot.pairs.redact.key, snapshot.state) != (self.snapshot.pairs.redact.key, self.snapshot.state):
            self._key = self._key_of(snapshot)
        self.snapshot = snapshot
        self._by_bytes.clear()
        self._refreshed.clear()

    def _compile(self, snapshot: Snapshot) -> Plan:
        return compile_plan(snapshot, self.snapshot.pairs, self._key, self._scores)

    def _key_of(self, snapshot: Snapshot) -> bytes:
        key, trouble = redaction_key(snapshot.pairs.redact.key, snapshot.state)
        if trouble:
            self._emit("warning", "redaction.key_not_kept", why=trouble)
        return key
