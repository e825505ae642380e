from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.stats.tally import COUNTS, Key, Tally, merge

counts = st.lists(st.integers(0, 1000), min_size=len(COUNTS), max_size=len(COUNTS)).map(lambda n: Tally(*n))
keys = st.builds(Key, st.sampled_from("tu"), st.just("v2"), st.sampled_from(["", "r"]), st.none(), st.integers(0, 3))


def test_adding_adds_each_count() -> None:
    assert Tally(pairs=2, slower=1) + Tally(pairs=3, faster=4) == Tally(pairs=5, slower=1, faster=4)


@given(st.lists(st.tuples(keys, counts)), st.randoms())
def test_merging_does_not_depend_on_order_or_grouping(rows: list[tuple[Key, Tally]], chance: object) -> None:
    whole = merge(rows, lambda key: key.trial)
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(shuffled, lambda key: key.trial) == whole
    by_bucket = merge(rows, lambda key: key)
    assert merge(by_bucket.items(), lambda key: key.trial) == whole


def test_nothing_merges_to_nothing() -> None:
    assert merge([], lambda key: key) == {}
