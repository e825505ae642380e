from __future__ import annotations

import uuid

from shadowproxy.proxy.ids import Ids


def test_an_id_is_a_uuid_of_version_7_that_says_when_it_was_made() -> None:
    """RFC 9562 §5.7: 48 bits of ms, version, 12 random bits, variant, 62 random bits."""
    for unix_ms in (0, 1, 1_700_000_000_000, (1 << 48) - 1):
        text = Ids().new(unix_ms).decode()
        made = uuid.UUID(text)
        assert str(made) == text
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert made.int >> 80 == unix_ms


def test_ids_are_distinct_and_use_all_their_random_bits() -> None:
    ids = Ids()
    made = [uuid.UUID(ids.new(0).decode()).int for _ in range(2000)]
    assert len(set(made)) == 2000
    ones = zeros = 0
    for value in made:
        ones |= value
        zeros |= ~value
    random_bits = (0xFFF << 64) | ((1 << 62) - 1)
    assert ones & random_bits == random_bits
    assert zeros & random_bits == random_bits


def test_two_processes_make_different_ids() -> None:
    assert Ids().new(5) != Ids().new(5)
