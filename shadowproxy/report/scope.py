"""What a report is about: which trials, routes and hours of the log that was read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
NEWEST, ALL = "newest", "all"


class ScopeError(Exception):
    """A wish that the log cannot fulfil; the message is a whole sentence."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the user asked for. Times are inclusive of `since` and exclusive of `until`."""

    trial: str = NEWEST  # a trial's id, or ALL
    candidate: str | None = None
    route: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    slice: tuple[str, str] | None = None  # (name, value)

    def __post_init__(self) -> None:
        """Raises ScopeError."""
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ScopeError(f"expected --until to lie behind --since, there were {self.until} and {self.since}")

    @property
    def is_chosen(self) -> bool:
        """Whether hours or a slice were picked: what was chosen after looking proves nothing."""
        return self.since is not None or self.until is not None or self.slice is not None


@dataclass(frozen=True, slots=True)
class Trial:
    candidate: str
    trial: str
    name: str  # as the report calls it: the candidate's name, or for its older trials their id
    twin_covers: bool  # the twin was due in every pair, so it is the reference for errors and latency


def parse_time(text: str, now: datetime, option: str = "") -> datetime:
    """RFC 3339 with an offset, or `2h`: so long before `now`. Raises ScopeError, which names `option`."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])
        parsed = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):  # an hour that no calendar has
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        place = f"{option} {text}".strip() or "''"
        raise ScopeError(f"{place}: expected a time such as 2026-03-01T14:00:00Z, or 2h for the last two hours")
    return parsed.astimezone(UTC)


def parse_slice(text: str) -> tuple[str, str]:
    """`country:DE` or `country=DE`. Raises ScopeError."""
    found = re.fullmatch(r"([^:=]+)[:=](.*)", text.strip())
    if found is None or not found[2]:
        raise ScopeError(f"--slice {text}: expected a slice such as country:DE")
    return found[1], found[2]


def choose(con: duckdb.DuckDBPyConnection, scope: Scope) -> list[Trial]:
    """Create the view `scoped` (pairs asked for) and name their trials.

    Candidates that stand only in the ledger are chosen too: that nothing came is worth saying.
    """
    rows = con.execute(_TRIALS).fetchall()
    found: list[tuple[str, str]] = [(candidate, trial) for candidate, trial, _ in rows]
    covered = {(candidate, trial) for candidate, trial, twin_covers in rows if twin_covers}
    _refuse_unknown(scope, found)
    trials = _wanted(scope, found)
    con.execute("CREATE TABLE chosen (candidate VARCHAR, trial VARCHAR, twin_covers BOOLEAN, open_from_us BIGINT)")
    for candidate, trial in trials:
        con.execute("INSERT INTO chosen VALUES (?, ?, ?, NULL)", [candidate, trial, (candidate, trial) in covered])
    slice_name, slice_value = scope.slice or (None, None)
    for name, value in (
        ("route", scope.route),
        ("since", _us(scope.since)),
        ("until", _us(scope.until)),
        ("slice", slice_name),
        ("slice_value", slice_value),
    ):
        con.execute(f"SET VARIABLE wanted_{name} = ?", [value])
    con.execute(_SCOPED)
    if scope.is_chosen or scope.route is not None:  # a part may be covered where the whole is not
        con.execute(_COVERED)
        covered = set(con.execute("SELECT candidate, trial FROM chosen WHERE twin_covers").fetchall())
    newest = dict(reversed(trials))
    return [
        Trial(candidate, trial, candidate if newest[candidate] == trial else trial, (candidate, trial) in covered)
        for candidate, trial in trials
    ]


_SCOPED = """
CREATE VIEW scoped AS
SELECT pairs.*, chosen.twin_covers, chosen.open_from_us FROM pairs JOIN chosen USING (candidate, trial)
WHERE (getvariable('wanted_route') IS NULL OR route = getvariable('wanted_route')::VARCHAR)
  AND (getvariable('wanted_since') IS NULL OR epoch_us(ts) >= getvariable('wanted_since')::BIGINT)
  AND (getvariable('wanted_until') IS NULL OR epoch_us(ts) < getvariable('wanted_until')::BIGINT)
  AND (getvariable('wanted_slice') IS NULL
    OR slices[getvariable('wanted_slice')::VARCHAR] = getvariable('wanted_slice_value')::VARCHAR)
"""

_COVERS = "count(twin_outcome) > 0 AND count(*) = count(coalesce(twin_outcome, twin_dropped))"
_COVERED = f"""
UPDATE chosen SET twin_covers = (candidate, trial) IN (
  SELECT (candidate, trial) FROM scoped WHERE NOT warmup GROUP BY candidate, trial HAVING {_COVERS})
"""


# A trial's age is that of its last pair. One without pairs is as old as its first line in the ledger: workers go on
# writing the totals of trials that are over.
_TRIALS = f"""
WITH kinds AS (
  SELECT candidate, trial, warmup, max(ts) AS last_ts, {_COVERS} AS covers FROM pairs
  GROUP BY candidate, trial, warmup),
seen AS (
  SELECT candidate, trial, max(last_ts) AS last_ts, coalesce(bool_or(covers) FILTER (NOT warmup), false) AS covers
  FROM kinds GROUP BY candidate, trial
  UNION ALL
  SELECT candidate, trial, min(ts), false FROM ledger ANTI JOIN pairs USING (candidate, trial)
  WHERE candidate IS NOT NULL AND trial IS NOT NULL AND candidate <> 'twin' GROUP BY candidate, trial)
SELECT candidate, trial, covers FROM seen ORDER BY candidate, last_ts DESC, trial
"""


def _wanted(scope: Scope, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    of_candidate = [row for row in found if scope.candidate in (None, row[0])]
    if scope.trial == ALL:
        return of_candidate
    if scope.trial != NEWEST:
        return [row for row in of_candidate if row[1] == scope.trial]
    newest: dict[str, str] = {}
    for candidate, trial in of_candidate:
        newest.setdefault(candidate, trial)
    return list(newest.items())


def _refuse_unknown(scope: Scope, found: list[tuple[str, str]]) -> None:
    candidates = sorted({candidate for candidate, _ in found})
    trials = [trial for candidate, trial in found if scope.candidate in (None, candidate)]
    if found and scope.candidate is not None and scope.candidate not in candidates:
        raise ScopeError(f"--candidate {scope.candidate}: the log knows {', '.join(candidates)}")
    if found and scope.trial not in (NEWEST, ALL, *trials):
        raise ScopeError(f"--trial {scope.trial}: the log knows {', '.join(trials)}")


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
