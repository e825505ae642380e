"""Hints: what most probably went wrong with the copies, and the setting that changes it.

They look at every copy, warm-up too, from the 20th on: a candidate that refuses all copies should say so at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Final

import duckdb

from shadowproxy.report import engine, schema
from shadowproxy.report.ledger import Ledger
from shadowproxy.report.query import Cell
from shadowproxy.report.source import Source
from shadowproxy.report.words import milliseconds, percent, plain
from shadowproxy.settings.snapshot import Candidate, Snapshot

FIRST_COPIES: Final = 20
_MOST: Final = 0.9  # of the copies have the same refusal
_MANY: Final = 0.1  # of the copies found nobody, or took too long
_MOST_ROUTES: Final = 5
_SOME: Final = 0.01  # of the copies due were dropped or not logged for one reason

# Where production gives the same answer, it is the request's fault and no hint.
_COPIES: Final = """
SELECT candidate, trial, sum(pairs)::BIGINT AS copies, {counts} FROM facets GROUP BY ALL
"""
_COUNTED: Final = {
    "forbidden": "shadow_status IN (401, 403) AND NOT production_bad",
    "unknown_path": "shadow_status IN (404, 405) AND NOT production_bad",
    "misshapen": "shadow_status IN (400, 422) AND NOT production_bad",
    "unreachable": "shadow_outcome = 'connect_error'",
    "late": "shadow_outcome = 'timeout' AND NOT censored",
}
# What a hint quotes: asked only where there is one to give.
_QUOTED: Final = """
SELECT candidate, trial, min(pair_id) FILTER (shadow_status IN (400, 422)) AS misshapen_id,
  mode(shadow_error) FILTER (shadow_outcome = 'connect_error') AS connect_error,
  min(shadow_total_ms) FILTER (shadow_outcome = 'timeout') AS given_up_ms,
  quantile_disc(production_latency_ms, 0.5) AS production_ms, mode(production_upstream) AS production
FROM scoped GROUP BY ALL
"""

_DROPS: Final = {
    "body_too_large": "requests exceed `mirror_up_to`{mirror_up_to}: raise `candidates[{name}].mirror_up_to`",
    "in_flight": "copies found {name} busy: raise its `max_in_flight`{max_in_flight} or lower its `sample`",
    "breaker_open": "copies were held back because {name} kept failing: see `candidates[{name}].breaker`",
    "buffer_full": "copies found no room for their bytes: raise `mirror.max_buffered`{max_buffered}",
    "overload": "copies were given up because the proxy was busy: raise `workers` or lower `sample` of {name}",
    "recorder_behind": "copies could not have been recorded: lower `sample` of {name} or `pairs.store_up_to`",
    "connect_rate": "copies needed too many new connections: let {name} keep its connections alive",
    "rewrite_failed": "request bodies could not be rewritten: see `candidates[{name}].json.set`",
    "draining": "copies were not sent because the proxy was stopping: see `limits.drain`",
    "client_aborted": "requests were left by their clients before they were complete: no setting changes that",
}
_UNLOGGED: Final = {
    "recorder_lost": "pairs were lost with the recorder: see its log for why it stopped",
    "queue_full": "pairs were too many for the recorder: lower `sample` of {name} or `pairs.store_up_to`",
    "disk": "pairs could not be written: make room where `pairs.dir` lies or lower `pairs.keep.size`",
}


# Routes on which nobody said what an answer decides, and no preset knows.
_UNDECIDED: Final = """
SELECT candidate, trial, route FROM facets WHERE is_unpredicted GROUP BY ALL ORDER BY sum(pairs) DESC, 3
"""


@dataclass(frozen=True, slots=True)
class Copies:
    """How many copies there were, and what became of them; the rest is quoted in hints, where there is one to give."""

    copies: int
    forbidden: int
    unknown_path: int
    misshapen: int
    unreachable: int
    late: int
    misshapen_id: str | None = None
    connect_error: str | None = None
    given_up_ms: float | None = None
    production_ms: float | None = None
    production: str | None = None

    def reach(self, count: int, share: float) -> bool:
        return self.copies >= FIRST_COPIES and count >= share * self.copies

    @property
    def has_quotes(self) -> bool:
        return self.reach(self.misshapen, _MOST) or self.reach(self.unreachable, _MANY) or self.reach(self.late, _MANY)


@dataclass(frozen=True, slots=True)
class Facts:
    """What hints are made of: the copies, and the first message with which each candidate refused a request's shape."""

    copies: Mapping[Cell, Copies]
    messages: Mapping[str, str]
    undecided: Mapping[Cell, list[str]]  # routes
    snapshot: Snapshot | None  # of `-c FILE`: names the urls and limits that the log does not hold


def read(con: duckdb.DuckDBPyConnection, source: Source, snapshot: Snapshot | None) -> Facts:
    """Bodies are read only for a candidate that refuses nearly every request's shape."""
    counts = ", ".join(f"coalesce(sum(pairs) FILTER ({sql}), 0)::BIGINT" for sql in _COUNTED.values())
    copies = {(row[0], row[1]): Copies(*row[2:]) for row in con.execute(_COPIES.format(counts=counts)).fetchall()}
    if any(one.has_quotes for one in copies.values()):
        for candidate, trial, *quotes in con.execute(_QUOTED).fetchall():
            copies[candidate, trial] = Copies(*astuple(copies[candidate, trial])[: 1 + len(_COUNTED)], *quotes)
    wanted = sorted(c.misshapen_id for c in copies.values() if c.misshapen_id and c.reach(c.misshapen, _MOST))
    undecided: dict[Cell, list[str]] = {}
    for candidate, trial, route in con.execute(_UNDECIDED).fetchall():
        undecided.setdefault((candidate, trial), []).append(route)
    return Facts(copies, _messages(con, source, wanted) if wanted else {}, undecided, snapshot)


def of_candidate(name: str, cell: Cell, facts: Facts, ledger: Ledger | None) -> list[str]:
    """Sentences, the most probable cause first."""
    config = next((c for c in facts.snapshot.candidates if c.name == name), None) if facts.snapshot else None
    copies = facts.copies.get(cell)
    said = list(_of_answers(plain(name), copies, facts, config)) if copies else []
    said.extend(_of_routes(facts.undecided.get(cell, [])))
    return [*said, *(_of_ledger(plain(name), ledger, facts.snapshot, config) if ledger else ())]


def _of_answers(name: str, copies: Copies, facts: Facts, config: Candidate | None) -> Iterator[str]:
    if copies.reach(copies.forbidden, _MOST):
        yield (
            f"{name} refuses the copies: credentials are stripped. Set `candidates[{name}].headers.set.Authorization` "
            "or `credentials: forward`."
        )
    if copies.reach(copies.unknown_path, _MOST):
        yield f"{name} does not know this path or model name: see `path`, `json.set`."
    if copies.reach(copies.misshapen, _MOST):
        message = facts.messages.get(copies.misshapen_id or "", "")
        yield f"{name} rejects the request's shape: {plain(message) or 'it gives no reason'}."
    if copies.reach(copies.unreachable, _MANY):
        where = plain(config.url) if config else f"{name}'s address"
        yield f"nothing answers at {where}: {plain(copies.connect_error or 'no connection')}."
    if copies.reach(copies.late, _MANY):
        limit = config.timeout * 1000 if config and config.timeout else copies.given_up_ms
        yield (
            f"{name} needs longer than {milliseconds(limit)}; {plain(copies.production or 'production')}'s median is "
            f"{milliseconds(copies.production_ms)}."
        )


def _of_routes(undecided: list[str]) -> Iterator[str]:
    if undecided:
        names = ", ".join(f'"{plain(route)}"' for route in undecided[:_MOST_ROUTES])
        more = f" and {len(undecided) - _MOST_ROUTES} more" if len(undecided) > _MOST_ROUTES else ""
        yield (
            f"What an answer decides is not known on route {names}{more}: any compared difference counts as another "
            f"decision. Set `routes[{plain(undecided[0])}].prediction`, or its `protocol`."
        )


def _of_ledger(name: str, ledger: Ledger, snapshot: Snapshot | None, config: Candidate | None) -> Iterator[str]:
    limits = {
        "name": name,
        "mirror_up_to": f" {_size(config.mirror_up_to)}" if config else "",
        "max_in_flight": f" ({config.max_in_flight})" if config else "",
        "max_buffered": f" ({_size(snapshot.mirror.max_buffered)})" if snapshot else "",
    }
    for counts, sentences in ((ledger.dropped, _DROPS), (ledger.unlogged, _UNLOGGED)):
        for reason, count in counts.items():
            if ledger.due >= FIRST_COPIES and count > _SOME * ledger.due:
                sentence = sentences.get(reason, f"copies were lost for the reason {plain(reason)}").format_map(limits)
                yield f"{percent(count / ledger.due)} of {sentence}."


def _messages(con: duckdb.DuckDBPyConnection, source: Source, pair_ids: list[str]) -> dict[str, str]:
    con.execute("SET VARIABLE wanted_pairs = ?", [pair_ids])
    engine.load(
        con,
        "refusals",
        "pair_id, left(shadow.body, 1000) AS body",
        schema.BODIES,
        source.pairs,
        where="list_contains(getvariable('wanted_pairs')::VARCHAR[], pair_id)",
    )
    return {pair_id: " ".join((body or "").split()) for pair_id, body in con.execute("FROM refusals").fetchall()}


def _size(size_bytes: int) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.3g} {unit}"
    return f"{size_bytes} bytes"
