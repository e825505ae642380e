from __future__ import annotations

from shadowproxy.report.query import _COUNTED, _SUMMED
from shadowproxy.stats.tally import COUNTS


def test_each_count_of_a_tally_is_asked_for_once() -> None:
    assert sorted([*_COUNTED, *_SUMMED]) == sorted(COUNTS)
