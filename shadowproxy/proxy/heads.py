"""Answers' heads, parsed once: at high rates an upstream says the same head again and again, within a second at least.

A memo of a pure function. It is bounded in entries and in the length of what it remembers, and forgets all at once.
"""

from __future__ import annotations

from typing import Final

from shadowproxy.http1 import answer, request

_ENTRIES: Final = 256
_LONGEST: Final = 2048


class AnswerHeads:
    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, answer.AnswerHead] = {}

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


class RequestHeads:
    __slots__ = ("_known", "_max_fields")

    def __init__(self, max_fields: int) -> None:
        self._max_fields = max_fields
        self._known: dict[bytes, request.RequestHead] = {}

    def parse(self, raw: bytes) -> request.RequestHead:
        """Raises Refused, as `http1.request.parse` does; what is refused is not remembered."""
        known = self._known.get(raw)
        if known is not None:
            return known
        head = request.parse(raw, self._max_fields)
        if len(raw) <= _LONGEST:
            if len(self._known) >= _ENTRIES:
                self._known.clear()
            self._known[raw] = head
        return head
