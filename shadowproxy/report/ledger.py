"""The ledger's sums: what became of every request, and whether the laws of the ledger hold.

A worker writes cumulative totals, so the last line of each (worker, boot, trial, candidate, route) holds all, and sums
over those are sums over the fleet. With `--since` the totals of the last line before it are taken off.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import duckdb
import msgspec

from shadowproxy.core.ledger import broken_laws

_NUMBERS: Final = ("requests", "unmatched", "eligible", "sampled_out", "sent", "in_flight", "logged")
_MAPS: Final = ("excluded", "dropped", "finished", "unlogged")

# Of two lines of one worker the later one counts more. Their times do not tell: a clock may have been set back.
GROWN: Final = "requests + coalesce(list_sum(map_values(finished)), 0) + logged"
_LAST: Final = """
SELECT candidate, trial, {sign} AS sign, {columns} FROM ledger
WHERE (getvariable('wanted_route') IS NULL OR route = getvariable('wanted_route')::VARCHAR) AND {until}
QUALIFY row_number() OVER (PARTITION BY worker, boot, trial, candidate, route ORDER BY {grown} DESC, ts DESC) = 1
"""
_AT_END: Final = "(getvariable('wanted_until') IS NULL OR epoch_us(ts) < getvariable('wanted_until')::BIGINT)"
_AT_START: Final = "coalesce(epoch_us(ts) < getvariable('wanted_since')::BIGINT, false)"

Cell = tuple[str | None, str | None]


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Sums for one candidate and trial. `broken` names each law that does not hold, with its two sides."""

    requests: int = 0
    unmatched: int = 0
    excluded: dict[str, int] = {}
    eligible: int = 0
    sampled_out: int = 0
    dropped: dict[str, int] = {}
    sent: int = 0
    in_flight: int = 0
    finished: dict[str, int] = {}
    logged: int = 0
    unlogged: dict[str, int] = {}
    laws_hold: bool = True
    broken: list[str] = []

    @property
    def due(self) -> int:
        """Copies that the candidate should have had."""
        return self.eligible - self.sampled_out

    def owed(self, *, is_written: bool) -> int:
        """Those that should lie in the log by now: while it is written, those in flight have yet to come."""
        return self.due - (self.in_flight if is_written else 0)


def sums(con: duckdb.DuckDBPyConnection) -> dict[Cell, Ledger]:
    """By (candidate, trial), under the scope's variables; requests that no route matched may stand under None."""
    columns = ", ".join((*_NUMBERS, *_MAPS))
    numbers: dict[Cell, Counter[str]] = {}
    maps: dict[Cell, dict[str, Counter[str]]] = {}
    for sign, until in ((1, _AT_END), (-1, _AT_START)):
        for row in con.execute(_LAST.format(sign=sign, columns=columns, until=until, grown=GROWN)).fetchall():
            candidate, trial, _, *values = row
            cell = (candidate, trial)
            totals = numbers.setdefault(cell, Counter())
            of_map = maps.setdefault(cell, {name: Counter() for name in _MAPS})
            for name, value in zip(_NUMBERS, values, strict=False):
                totals[name] += sign * (value or 0)
            for name, entries in zip(_MAPS, values[len(_NUMBERS) :], strict=True):
                for reason, count in (entries or {}).items():
                    of_map[name][reason] += sign * (count or 0)
    return {cell: _sealed(numbers[cell], maps[cell]) for cell in numbers}


def _sealed(numbers: Counter[str], maps: dict[str, Counter[str]]) -> Ledger:
    parts = {name: {reason: n for reason, n in counts.most_common() if n} for name, counts in maps.items()}
    ledger = Ledger(
        requests=numbers["requests"],
        unmatched=numbers["unmatched"],
        eligible=numbers["eligible"],
        sampled_out=numbers["sampled_out"],
        sent=numbers["sent"],
        in_flight=numbers["in_flight"],
        logged=numbers["logged"],
        excluded=parts["excluded"],
        dropped=parts["dropped"],
        finished=parts["finished"],
        unlogged=parts["unlogged"],
    )
    broken = broken_laws(msgspec.structs.asdict(ledger))
    return msgspec.structs.replace(ledger, laws_hold=not broken, broken=broken)


def largest_reason(ledger: Ledger | None) -> str:
    """Why a candidate got nothing, in the ledger's words."""
    if ledger is None or ledger.requests == 0:
        return "no request has come"
    reasons: Counter[str] = Counter()
    reasons.update({f"{reason} (excluded)": n for reason, n in ledger.excluded.items()})
    reasons.update({f"{reason} (dropped)": n for reason, n in ledger.dropped.items()})
    reasons.update({f"{reason} (unlogged)": n for reason, n in ledger.unlogged.items()})
    reasons.update({"no route matched": ledger.unmatched, "sampled out": ledger.sampled_out})
    reasons.update({"still in flight": ledger.in_flight})
    reason, count = reasons.most_common(1)[0]
    if count == 0:
        return f"{ledger.requests:,} requests, all of them logged elsewhere"
    return f"{count:,} of {ledger.requests:,} requests: {reason}"
