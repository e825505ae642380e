from __future__ import annotations

import numpy as np

from shadowproxy.stats.looks import running, schedule


def test_the_first_hundred_buckets_are_looked_at_each() -> None:
    assert schedule(0).tolist() == []
    assert schedule(7).tolist() == [1, 2, 3, 4, 5, 6, 7]
    # 100 + 1, 101 + 2 (1.01 rounded up), 103 + 2
    assert schedule(106).tolist()[98:] == [99, 100, 101, 103, 105]


def test_later_looks_come_when_the_buckets_have_grown_by_one_percent() -> None:
    looks = schedule(1_000_000)
    late = looks[looks >= 100].astype(float)
    assert np.all(late[1:] >= late[:-1] * 1.01 - 1e-6)
    assert np.all(late[1:] < late[:-1] * 1.01 + 1)
    assert len(looks) < 1100


def test_later_buckets_do_not_move_earlier_looks() -> None:
    long = schedule(5000)
    for closed in (1, 99, 100, 101, 102, 777, 4999):
        assert schedule(closed).tolist() == long[long <= closed].tolist()


def test_the_running_interval_never_widens() -> None:
    low, high = running(np.array([0.0, 0.2, 0.1, 0.3]), np.array([1.0, 0.6, 0.8, 0.25]))
    assert low.tolist() == [0, 0.2, 0.2, 0.3]
    assert high.tolist() == [1, 0.6, 0.6, 0.25]
