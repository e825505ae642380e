from __future__ import annotations

import pytest

from shadowproxy.http1 import fields as f


@pytest.mark.parametrize("table", [f.REQUEST_FIELDS, f.ANSWER_FIELDS])
def test_a_name_means_the_same_however_it_is_spelled(table: dict[bytes, int]) -> None:
    codes = f.Codes(table)
    for name, code in table.items():
        for spelled in (name, name.title(), name.upper()):
            assert codes.learn(spelled) == code
            assert codes.get(spelled) == code
    assert codes.learn(b"Accept") == 0
    assert codes.get(b"Accept") == 0


def test_invented_names_cost_no_memory() -> None:
    codes = f.Codes(f.REQUEST_FIELDS)
    for number in range(10_000):
        assert codes.learn(b"X-%d" % number) == 0
        assert len(codes.spelled) <= 2048
    codes = f.Codes(f.REQUEST_FIELDS)
    codes.learn(b"X-" + b"a" * 100)
    assert codes.spelled == {}


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (b"close", [b"close"]),
        (b"Keep-Alive, TE", [b"keep-alive", b"te"]),
        (b" a ,\tb,,c ,", [b"a", b"b", b"c"]),
        (b"", []),
        (b" , ", []),
    ],
)
def test_a_list_has_members_without_empty_ones(value: bytes, members: list[bytes]) -> None:
    assert f.tokens(value) == members


def test_no_framing_or_routing_field_passes_in_a_trailer() -> None:
    assert {b"content-length", b"transfer-encoding", b"host", b"authorization", b"connection"} <= f.NOT_IN_TRAILERS
    assert b"etag" not in f.NOT_IN_TRAILERS
