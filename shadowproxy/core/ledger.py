"""The ledger: what became of every request, for each candidate (and the twin) on each route.

Laws, true of every row at every moment:

    requests    = unmatched + Σ excluded + eligible
    eligible    = sampled_out + Σ dropped + sent
    sent        = Σ finished + in_flight
    Σ finished  = logged + Σ unlogged

They hold by construction: a request is counted once, when its fate is decided (`Row.excluded` … `Row.sent`), and a
copy is counted as finished once the fate of its pair is known too. What is derived is not stored.
"""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.core.outcome import DROPPED, EXCLUDED, LOGGED, OUTCOMES, UNLOGGED


class Row:
    """Cumulative totals of one candidate on one route since the worker's start."""

    __slots__ = ("_excluded", "_finished", "dropped", "logged", "sampled_out", "sent", "unlogged", "unmatched")

    def __init__(self) -> None:
        self.unmatched = 0
        self._excluded = [0] * len(EXCLUDED)
        self.sampled_out = 0
        self.dropped = [0] * len(DROPPED)
        self.sent = 0
        self._finished = [0] * len(OUTCOMES)
        self.logged = 0
        self.unlogged = [0] * len(UNLOGGED)

    def exclude(self, reason: int) -> None:
        self._excluded[reason] += 1

    def finish(self, outcome: int, status: int) -> None:
        """A copy ended with `outcome` and its pair with `status` (LOGGED or an unlogged reason)."""
        self._finished[outcome] += 1
        if status == LOGGED:
            self.logged += 1
        else:
            self.unlogged[status] += 1

    @property
    def eligible(self) -> int:
        return self.sampled_out + sum(self.dropped) + self.sent

    @property
    def in_flight(self) -> int:
        """Sent, and the fate of the pair not yet known."""
        return self.sent - sum(self._finished)

    def as_dict(self) -> dict[str, Any]:
        """The row's part of a ledger line (CONTRACT.md §4)."""
        eligible = self.eligible
        return {
            "requests": self.unmatched + sum(self._excluded) + eligible,
            "unmatched": self.unmatched,
            "excluded": _named(EXCLUDED, self._excluded),
            "eligible": eligible,
            "sampled_out": self.sampled_out,
            "dropped": _named(DROPPED, self.dropped),
            "sent": self.sent,
            "in_flight": self.in_flight,
            "finished": _named(OUTCOMES, self._finished),
            "logged": self.logged,
            "unlogged": _named(UNLOGGED, self.unlogged),
        }


def _named(names: tuple[str, ...], counts: list[int]) -> dict[str, int]:
    return {name: count for name, count in zip(names, counts, strict=True) if count}


TWIN: Final = "twin"


class Ledger:
    """Rows by (trial, candidate, route); a route of None gathers the requests that match no route."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str | None], Row] = {}

    def row(self, trial: str, candidate: str, route: str | None) -> Row:
        key = (trial, candidate, route)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row()
        return row

    def lines(self) -> list[dict[str, Any]]:
        return [
            {"trial": trial, "candidate": candidate, "route": route, **row.as_dict()}
            for (trial, candidate, route), row in self._rows.items()
        ]


def broken_laws(line: dict[str, Any]) -> list[str]:
    """The laws that a ledger line breaks, as sentences; empty for a true one."""
    excluded, dropped = sum(line["excluded"].values()), sum(line["dropped"].values())
    finished, unlogged = sum(line["finished"].values()), sum(line["unlogged"].values())
    laws = (
        (
            "requests",
            line["requests"],
            "unmatched + Σ excluded + eligible",
            line["unmatched"] + excluded + line["eligible"],
        ),
        ("eligible", line["eligible"], "sampled_out + Σ dropped + sent", line["sampled_out"] + dropped + line["sent"]),
        ("sent", line["sent"], "Σ finished + in_flight", finished + line["in_flight"]),
        ("Σ finished", finished, "logged + Σ unlogged", line["logged"] + unlogged),
    )
    return [f"{left} is {a}, but {right} is {b}" for left, a, right, b in laws if a != b]
