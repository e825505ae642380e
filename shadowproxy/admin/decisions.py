"""When each trial was decided: the first verdict of a trial that was seen to be made.

A verdict that may have stood already when this process began, of a trial older than it, was made at a time that nobody
knows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from .judged import began
from .verdicts import Records

DECIDED: Final = ("PASS", "FAIL")
MOST: Final = 256  # trials that are remembered


class Decisions:
    def __init__(self) -> None:
        self._at_ms: dict[str, int | None] = {}
        self._since_s = time.time()
        self._is_first = True

    def note(self, before: Records, after: Records) -> None:
        """To be called at each new report (`Verdicts.subscribe`)."""
        for record in after.values():
            if record.get("verdict") in DECIDED and record["trial"] not in self._at_ms:
                self._at_ms[record["trial"]] = None if self._is_old(record) else round(time.time() * 1000)
        while len(self._at_ms) > MOST:
            del self._at_ms[next(iter(self._at_ms))]
        self._is_first = False

    def _is_old(self, record: Mapping[str, Any]) -> bool:
        """Whether it may have been decided before there was somebody to see it."""
        return self._is_first and (began(record) or 0.0) < self._since_s

    def of(self, trial: str) -> int | None:
        """ms since 1970, None where it is not known."""
        return self._at_ms.get(trial)
