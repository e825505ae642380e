"""When each trial was decided: the first verdict of a trial that was seen to be made.

A verdict that stood already when this process began was made at a time that nobody knows.
"""

from __future__ import annotations

import time
from typing import Final

from .verdicts import Records

DECIDED: Final = ("PASS", "FAIL")
MOST: Final = 256  # trials that are remembered


class Decisions:
    def __init__(self) -> None:
        self._at_ms: dict[str, int | None] = {}
        self._is_first = True

    def note(self, before: Records, after: Records) -> None:
        """To be called at each new report (`Verdicts.subscribe`)."""
        for record in after.values():
            if record.get("verdict") in DECIDED and record["trial"] not in self._at_ms:
                self._at_ms[record["trial"]] = None if self._is_first else round(time.time() * 1000)
        while len(self._at_ms) > MOST:
            del self._at_ms[next(iter(self._at_ms))]
        self._is_first = False

    def of(self, trial: str) -> int | None:
        """ms since 1970, None where it is not known."""
        return self._at_ms.get(trial)
