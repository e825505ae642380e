"""How many new connections a worker makes to its candidates: 50 a second, of which TLS ones count five-fold.

Law: never more than that together, and half of it is divided among the candidates and reserved for each, so that one
that needs a new connection for every copy (it hangs, or closes after each answer) takes none from the others. What is
reserved and not used overflows into the half that is common to all.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

RATE: Final = 50.0  # connections a second, and at once after a rest
TLS_COST: Final = 5.0
RESERVED: Final = 0.5


class ConnectRate:
    """Times are ns of any monotonic clock, given by the caller."""

    __slots__ = ("_at_ns", "_common", "_own")

    def __init__(self, now_ns: int) -> None:
        self._at_ns = now_ns
        self._common = RATE
        self._own: dict[str, float] = {}

    def divide(self, names: Collection[str]) -> None:
        """These are the candidates from now on; what they had saved is divided anew."""
        share = RATE * RESERVED / max(1, len(names))
        saved = sum(self._own.values()) + self._common
        full = saved / RATE
        self._own = dict.fromkeys(names, share * full)
        self._common = saved - sum(self._own.values())

    def take(self, name: str, tls: bool, now_ns: int) -> bool:
        """Whether `name` may connect; what it has saved for itself is used first.

        One that is no longer a candidate, for its last requests, has nothing of its own.
        """
        self._save(now_ns)
        cost = TLS_COST if tls else 1.0
        own = self._own.get(name, 0.0)
        if own + self._common < cost:
            return False
        if own:
            self._own[name] = max(0.0, own - cost)
        self._common -= max(0.0, cost - own)
        return True

    def _save(self, now_ns: int) -> None:
        saved = (now_ns - self._at_ns) * RATE / 1e9
        self._at_ns = now_ns
        own = self._own
        full = RATE * RESERVED / max(1, len(own))
        each = saved * RESERVED / max(1, len(own))
        spilled = 0.0
        for name, tokens in own.items():
            own[name] = min(full, tokens + each)
            spilled += max(0.0, tokens + each - full)
        self._common = min(RATE * (1 - RESERVED), self._common + saved * (1 - RESERVED) + spilled)
