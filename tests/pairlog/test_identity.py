"""UUIDv7: the bits of RFC 9562 §5.7, ascending whatever the clock does."""

from __future__ import annotations

import time
import uuid

from shadowproxy.pairlog.identity import Ids


class Clock:
    def __init__(self, *times: int) -> None:
        self.times = list(times)

    def __call__(self) -> int:
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


def test_the_example_of_the_rfc() -> None:
    # RFC 9562 §A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F is 2022-02-22T19:22:22 UTC with these free bits.
    free = (0xCC3 << 62) | 0x18C4DC0C0C07398F
    ids = Ids(lambda: 0x017F22E279B0, lambda n: free.to_bytes(10) + bytes(n - 10))
    # The topmost free bit is ours to clear: it leaves room to count up.
    assert ids.next() == "017f22e2-79b0-74c3-98c4-dc0c0c07398f"


def test_ids_are_valid_and_carry_their_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(Ids().next()) for _ in range(3)]
    after = time.time_ns() // 1_000_000
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert all(before <= one.int >> 80 <= after for one in made)


def test_ids_of_one_process_ascend_as_text_and_never_repeat() -> None:
    ids = Ids()
    made = [ids.next() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_a_clock_that_steps_back_does_not_show() -> None:
    ids = Ids(Clock(1_000_000, 999_000, 1, 1_000_001))
    made = [ids.next() for _ in range(4)]
    assert made == sorted(set(made))
    assert [uuid.UUID(one).int >> 80 for one in made] == [1_000_000, 1_000_000, 1_000_000, 1_000_001]


def test_a_millisecond_that_is_used_up_borrows_the_next() -> None:
    ids = Ids(lambda: 5, lambda n: b"\xff" * n)
    made = []
    while not made or uuid.UUID(made[-1]).int >> 80 == 5:
        ids._free = max(ids._free, (1 << 74) - (1 << 34))  # or it would take 2^41 ids
        made.append(ids.next())
    assert made == sorted(set(made))
    assert uuid.UUID(made[-1]).int >> 80 == 6


def test_two_processes_do_not_make_the_same_ids() -> None:
    one, other = Ids(lambda: 7), Ids(lambda: 7)
    assert not {one.next() for _ in range(1000)} & {other.next() for _ in range(1000)}
