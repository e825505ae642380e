from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.stats.bins import Bins
from shadowproxy.stats.evidence import Evidence, NotCounted, merged, of_tallies
from shadowproxy.stats.tally import COUNTS, Tally

tallies = st.lists(st.integers(0, 1000), min_size=len(COUNTS), max_size=len(COUNTS)).map(lambda n: Tally(*n))
logs = st.dictionaries(st.integers(0, 8), tallies, max_size=5)


def as_dict(evidence: Evidence) -> dict[int, dict[str, float]]:
    return {
        int(bucket): {name: float(values[row]) for name, values in evidence.columns.items()}
        for row, bucket in enumerate(evidence.buckets)
    }


def test_tallies_become_columns_in_the_order_of_time() -> None:
    evidence = of_tallies({9: Tally(pairs=3, slower=1), 2: Tally(pairs=5, both_bad=2)})
    assert evidence.buckets.tolist() == [2, 9]
    assert evidence.column("pairs").tolist() == [5, 3]
    assert evidence.column("both_bad").tolist() == [2, 0]
    assert (evidence.total("slower"), evidence.total("never heard of")) == (1, 0)


@given(st.lists(logs, max_size=4))
def test_evidence_of_parts_adds_up_to_that_of_the_whole(parts: list[dict[int, Tally]]) -> None:
    whole: dict[int, Tally] = {}
    for part in parts:
        for bucket, tally in part.items():
            whole[bucket] = whole.get(bucket, Tally()) + tally
    together = merged(of_tallies(part) for part in parts)
    backwards = merged(of_tallies(part) for part in reversed(parts))
    assert as_dict(together) == as_dict(backwards) == as_dict(of_tallies(whole)) or not whole


def test_histograms_merge_too() -> None:
    def one(bucket: int, index: int) -> Evidence:
        bins = Bins(np.array([bucket]), np.array([index]), np.ones(1))
        return Evidence(np.array([bucket]), {}, {"candidate_ms": bins})

    whole = merged([one(1, 500), one(2, 700), Evidence(np.array([5]))])
    assert whole.buckets.tolist() == [1, 2, 5]
    assert whole.histogram("candidate_ms").index.tolist() == [500, 700]


def test_an_open_bucket_hides_the_later_ones() -> None:
    evidence = of_tallies({n: Tally(pairs=n) for n in range(1, 6)})
    assert evidence.before(4).buckets.tolist() == [1, 2, 3]
    assert evidence.before(4).column("pairs").tolist() == [1, 2, 3]


def test_a_slice_lies_on_the_buckets_of_its_trial() -> None:
    bins = Bins(np.array([2, 5]), np.array([10, 20]), np.ones(2))
    slice_ = Evidence(np.array([2, 5]), {"pairs": np.array([7.0, 8.0])}, {"candidate_ms": bins})
    onto = slice_.onto(np.array([1, 2, 3]))
    assert onto.column("pairs").tolist() == [0, 7, 0]
    assert onto.histogram("candidate_ms").index.tolist() == [10]


def test_more_columns_may_be_counted() -> None:
    evidence = of_tallies({1: Tally(pairs=4)}).with_columns({"sum(bleu)": [2.5]})
    assert evidence.column("sum(bleu)").tolist() == [2.5]
    assert evidence.column("pairs").tolist() == [4]


def test_what_was_not_counted_is_not_zero() -> None:
    with pytest.raises(NotCounted, match=r"expected the column 'slower\{by=10%\}' in the evidence, there were pairs"):
        Evidence(np.array([1]), {"pairs": np.ones(1)}).column("slower{by=10%}")
    with pytest.raises(NotCounted, match="expected the histogram 'candidate_ms' in the evidence, there were none"):
        Evidence(np.array([1])).histogram("candidate_ms")
