from __future__ import annotations

import numpy as np
import pytest

from shadowproxy.report import windows as module
from shadowproxy.report.windows import windows

BUCKETS = np.array([10, 11, 13, 20], dtype=np.int64)


def test_few_pairs_are_one_window() -> None:
    assert list(windows(BUCKETS, np.array([1.0, 2.0, 3.0, 4.0]), 30_000_000)) == ["true"]


def test_no_bucket_is_one_window() -> None:
    assert list(windows(BUCKETS[:0], np.zeros(0), 30_000_000)) == ["true"]


def test_each_moment_is_in_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS", 5)
    found = list(windows(BUCKETS, np.array([4.0, 4.0, 4.0, 4.0]), 10))
    edges = [100, 130, 200, 210]  # buckets 10 and 11 begin within the first five pairs
    assert len(found) == 3
    for condition, since_us, until_us in zip(found, edges, edges[1:], strict=False):
        assert f"a.ts >= make_timestamp({since_us})" in condition.format(ts="a.ts")
        assert f"a.ts < make_timestamp({until_us})" in condition.format(ts="a.ts")
