"""The tally: what statistics are made of. A map from key to counts that merges by addition.

Law: counts of disjoint sets of pairs add up to the counts of their union, in any order and on any engine. So a tally
is the same whether it was kept live, read from the log, or summed over a fleet. Arrival time is cut into buckets that
are aligned to UTC, and everything sequential is a function of the buckets' order alone.

JUDGEMENT terms: a pair is *decided* when it is comparable and says whether the decisions agree; a *triple* is a pair in
which production, candidate and twin are all comparable; the *reference* is the twin where its sample covers the
candidate's, else production.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Key:
    """`slice` is (name, value), or None for all pairs; `bucket` counts from 1970 in units of the bucket's length."""

    trial: str
    candidate: str
    route: str
    slice: tuple[str, str] | None
    bucket: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of pairs, warm-up left out, unless a name says items."""

    pairs: int = 0
    comparable: int = 0
    different: int = 0  # of the comparable: some compared field differs
    decided: int = 0
    disagreeing: int = 0
    items: int = 0
    items_disagreeing: int = 0
    triples: int = 0
    noisy: int = 0  # triples in which the twin disagrees with production
    only_candidate_disagrees: int = 0
    only_twin_disagrees: int = 0
    exchanges: int = 0  # pairs that count for errors: neither censored nor left by the client, the reference is there
    only_candidate_bad: int = 0
    only_reference_bad: int = 0
    both_bad: int = 0
    candidate_timeouts: int = 0
    reference_timeouts: int = 0
    censored: int = 0
    client_aborted: int = 0
    only_candidate_nonfinite: int = 0  # of the exchanges: NaN, ±Inf, null for a number, or no distribution
    only_production_nonfinite: int = 0
    both_nonfinite: int = 0
    timed: int = 0  # latency pairs
    slower: int = 0
    faster: int = 0
    timed_out: int = 0  # latency pairs whose candidate timed out: its latency counts as infinite

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(operator.add, _values(self), _values(other)))


COUNTS = tuple(field.name for field in fields(Tally))
_values = operator.attrgetter(*COUNTS)

G = TypeVar("G", bound=Hashable)


def merge(rows: Iterable[tuple[Key, Tally]], by: Callable[[Key], G]) -> dict[G, Tally]:
    """Sum the rows that `by` maps to the same group."""
    sums: dict[G, list[int]] = {}
    for key, tally in rows:
        group = by(key)
        values = _values(tally)
        so_far = sums.get(group)
        sums[group] = list(values) if so_far is None else list(map(operator.add, so_far, values))
    return {group: Tally(*counts) for group, counts in sums.items()}
