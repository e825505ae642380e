"""Evidence: what was counted about one trial (or one slice of it), column by column, one row for each closed bucket.

Law: evidence merges by addition, bucket by bucket, as tallies do; and what is judged reads nothing else. A column is
a sum over the bucket's pairs, warm-up left out: a field of `Tally`, or one that `metrics` names (and may carry an
option, as `slower{by=10%}`). Buckets in which nothing happened have no row.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from shadowproxy.stats import bins as histogram
from shadowproxy.stats.arrays import Floats, Ints, floats
from shadowproxy.stats.bins import Bins
from shadowproxy.stats.tally import COUNTS, Tally


class NotCounted(LookupError):
    """A gate asks for a column that the evidence does not have; the message is a whole sentence."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`buckets` ascends, without repeats; every column is as long."""

    buckets: Ints
    columns: Mapping[str, Floats] = field(default_factory=dict)
    bins: Mapping[str, Bins] = field(default_factory=dict)

    def column(self, name: str) -> Floats:
        """Raises NotCounted."""
        if name not in self.columns:
            raise NotCounted(f"expected the column {name!r} in the evidence, there were {_listed(self.columns)}")
        return self.columns[name]

    def histogram(self, name: str) -> Bins:
        """Raises NotCounted."""
        if name not in self.bins:
            raise NotCounted(f"expected the histogram {name!r} in the evidence, there were {_listed(self.bins)}")
        return self.bins[name]

    def total(self, name: str) -> float:
        """0 for what was not counted."""
        return float(self.columns[name].sum()) if name in self.columns else 0.0

    def with_columns(self, columns: Mapping[str, ArrayLike]) -> Evidence:
        """The same buckets, with more columns."""
        return replace(self, columns={**self.columns, **{name: floats(values) for name, values in columns.items()}})

    def before(self, first_open: int) -> Evidence:
        """Without the first bucket that is still open and all later ones: the sequence must not depend on the hour."""
        return self.onto(self.buckets[self.buckets < first_open])

    def onto(self, buckets: Ints) -> Evidence:
        """The rows of these buckets, zeros where there are none: a slice on its trial's buckets."""
        return Evidence(
            buckets,
            {name: _spread(self.buckets, values, buckets) for name, values in self.columns.items()},
            {name: _within(bins, buckets) for name, bins in self.bins.items()},
        )


def of_tallies(tallies: Mapping[int, Tally]) -> Evidence:
    """By bucket. Several tallies of one bucket are for `tally.merge` to add first."""
    order = sorted(tallies)
    values = operator.attrgetter(*COUNTS)
    table = np.asarray([values(tallies[bucket]) for bucket in order], dtype=np.float64).reshape(-1, len(COUNTS))
    return Evidence(np.asarray(order, dtype=np.int64), dict(zip(COUNTS, table.T, strict=True)))


def merged(parts: Iterable[Evidence]) -> Evidence:
    """The sum, bucket by bucket. A column that one part lacks counts as zeros there."""
    whole = Evidence(np.empty(0, dtype=np.int64))
    for part in parts:
        buckets = np.union1d(whole.buckets, part.buckets)
        one, other = whole.onto(buckets), part.onto(buckets)
        zeros = np.zeros(len(buckets))
        names = {**one.columns, **other.columns}
        both = {**one.bins, **other.bins}
        whole = Evidence(
            buckets,
            {name: one.columns.get(name, zeros) + other.columns.get(name, zeros) for name in names},
            {
                name: histogram.merged(one.bins[name], other.bins[name])
                if name in one.bins and name in other.bins
                else both[name]
                for name in both
            },
        )
    return whole


def _spread(have: Ints, values: Floats, want: Ints) -> Floats:
    spread = np.zeros(len(want))
    wanted = np.isin(have, want)
    spread[np.searchsorted(want, have[wanted])] = values[wanted]
    return spread


def _within(bins: Bins, buckets: Ints) -> Bins:
    inside = np.isin(bins.bucket, buckets)
    return Bins(bins.bucket[inside], bins.index[inside], bins.count[inside])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
