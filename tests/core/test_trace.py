"""Fields and their fates are those of W3C Trace Context, level 1, §3.2 and §4."""

from __future__ import annotations

import pytest

from shadowproxy.core.trace import parent, trace_of

ID, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("value", "trace"),
    [
        (b"00-%b-%b-01" % (ID, SPAN), (ID, b"01")),
        (b"00-%b-%b-00" % (ID, SPAN), (ID, b"00")),
        (b"00-%b-%b-03" % (ID, SPAN), (ID, b"03")),
        (b"cc-%b-%b-03" % (ID, SPAN), (ID, b"01")),
        (b"cc-%b-%b-01-what-the-future-brings" % (ID, SPAN), (ID, b"01")),
        (b"00-%b-%b-01-more" % (ID, SPAN), None),
        (b"cc-%b-%b-01.more" % (ID, SPAN), None),
        (b"ff-%b-%b-01" % (ID, SPAN), None),
        (b"00-%b-%b-01" % (b"0" * 32, SPAN), None),
        (b"00-%b-%b-01" % (ID, b"0" * 16), None),
        (b"00-%b-%b-01" % (ID.upper(), SPAN), None),
        (b"00-%b-%b-1" % (ID, SPAN), None),
        (b"00-%b-%b" % (ID, SPAN), None),
        (b"", None),
        (b"garbage", None),
    ],
)
def test_a_trace_is_kept_where_it_is_valid(value: bytes, trace: tuple[bytes, bytes] | None) -> None:
    assert trace_of([value]) == trace


def test_two_parents_are_none() -> None:
    assert trace_of([b"00-%b-%b-01" % (ID, SPAN)] * 2) is None


def test_the_parent_is_the_copy_s_own() -> None:
    assert parent((ID, b"01"), 0xAB) == b"00-%b-00000000000000ab-01" % ID
