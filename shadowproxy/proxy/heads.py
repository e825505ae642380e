"""Heads, read once: a client and an upstream say the same head again and again, within a second at least.

Memos of pure functions. They are bounded in entries and in the length of what they remember, and forget all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from shadowproxy.http1 import answer, request

_ENTRIES: Final = 256
_LONGEST: Final = 2048

Plan = TypeVar("Plan")


class AnswerHeads:
    __slots__ = ("_known", "recall")

    def __init__(self) -> None:
        self._known: dict[bytes, answer.AnswerHead] = {}
        self.recall = self._known.get  # never of an answer to HEAD

    def parse(self, raw: bytes, head_request: bool) -> answer.AnswerHead:
        """Raises Refused, as `http1.answer.parse` does; heads that answer HEAD are not remembered."""
        known = self._known.get(raw)
        if known is not None and not head_request:
            return known
        head = answer.parse(raw, head_request)
        if not head_request and len(raw) <= _LONGEST:
            if len(self._known) >= _ENTRIES:
                self._known.clear()
            self._known[raw] = head
        return head


class RequestHeads(Generic[Plan]):
    """`plan` makes of a head what follows from it alone, and is remembered with it."""

    __slots__ = ("_known", "_max_fields", "_plan", "recall")

    def __init__(self, max_fields: int, plan: Callable[[request.RequestHead], Plan]) -> None:
        self._max_fields = max_fields
        self._plan = plan
        self._known: dict[bytes, Plan] = {}
        self.recall = self._known.get  # what a head led to before, None where it is not remembered

    def read(self, raw: bytes) -> Plan:
        """Raises Refused, as `http1.request.parse` does; what is refused is not remembered."""
        known = self._known.get(raw)
        if known is not None:
            return known
        plan = self._plan(request.parse(raw, self._max_fields))
        if len(raw) <= _LONGEST:
            if len(self._known) >= _ENTRIES:
                self._known.clear()
            self._known[raw] = plan
        return plan
