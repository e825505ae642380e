"""Bytes held for mirroring and recording: one account for a worker.

Law: what is taken is given back exactly once, and `held` never exceeds `limit`. Each piece costs its length and
`OVERHEAD` bytes, for a list of 1-byte pieces takes 42 times its length (measured).
"""

from __future__ import annotations

from typing import Final

OVERHEAD: Final = 64


class Budget:
    __slots__ = ("held", "highest", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.highest = 0

    def take(self, cost: int) -> bool:
        """False, and nothing is taken, where it would exceed the limit."""
        held = self.held + cost
        if held > self.limit:
            return False
        self.held = held
        if held > self.highest:
            self.highest = held
        return True

    def give(self, cost: int) -> None:
        self.held -= cost
        assert self.held >= 0, "more was given back than was taken"
