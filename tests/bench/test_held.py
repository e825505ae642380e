"""A worker neither holds more nor does more for a request the longer it has served: counted, not timed."""

from __future__ import annotations

import pytest

from bench.bytecodes import count
from bench.held import held
from bench.instructions import CASES

_BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize("name", ["pass", "mirror"])
def test_a_worker_holds_no_more_objects_after_a_thousand_requests(name: str) -> None:
    (objects, blocks), (objects_later, blocks_later) = held(_BY_NAME[name], (100, 1000))
    assert abs(objects_later - objects) < 50  # one for twenty requests
    assert blocks_later - blocks < 2000  # a heap that breathes; a list that grew by a tuple a request would have more


def test_a_request_takes_as_many_bytecodes_after_many_as_after_few() -> None:
    """Of what is done for each request; what is done each second and each batch falls where it does.

    Pairs are packed by the dozen: some of what was done belongs to requests before, and counts as if it did not.
    """
    early, late = (
        sum(
            bytecodes / calls * round(calls)
            for _, _, bytecodes, calls in count(_BY_NAME["mirror"], 100, before)
            if calls > 0.6
        )
        for before in (20, 600)
    )
    assert early > 1000
    assert late == pytest.approx(early, rel=0.03)
