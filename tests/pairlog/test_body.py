"""How bodies stand in a line."""

from __future__ import annotations

import pytest

from shadowproxy.pairlog.body import StoredBody, stored


@pytest.mark.parametrize(
    ("body", "limit", "expected"),
    [
        (b"", 10, StoredBody("", "utf8", False)),
        (b'{"a": 1}\n', 10, StoredBody('{"a": 1}\n', "utf8", False)),
        ("größe".encode(), 10, StoredBody("größe", "utf8", False)),
        (b"a\0b", 10, StoredBody("a\0b", "utf8", False)),
        (b"\xff\xfe", 10, StoredBody("//4=", "base64", False)),
        (b"abc", 3, StoredBody("abc", "utf8", False)),
        (b"abcd", 3, StoredBody("abc", "utf8", True)),
        (b"abcd", 0, StoredBody("", "utf8", True)),
        # The cut divides a character: it is left out, the text stays text.
        ("aé".encode(), 2, StoredBody("a", "utf8", True)),
        ("a😀".encode(), 4, StoredBody("a", "utf8", True)),
        # A character that is unfinished without a cut is no text.
        ("aé".encode()[:2], 10, StoredBody("YcM=", "base64", False)),
        (b"\xff\xfe\xfd\xfc", 3, StoredBody("//79", "base64", True)),
        (b"\xed\xa0\x80", 10, StoredBody("7aCA", "base64", False)),  # a surrogate is no UTF-8
    ],
)
def test_bodies(body: bytes, limit: int, expected: StoredBody) -> None:
    assert stored(body, limit) == expected


def test_a_prefix_is_marked_and_may_end_within_a_character() -> None:
    assert stored("é".encode()[:1], 10, truncated=True) == StoredBody("", "utf8", True)
    assert stored(b"abc", 10, truncated=True) == StoredBody("abc", "utf8", True)


def test_what_is_opaque_is_never_shown_as_text() -> None:
    assert stored(b"abc", 10, opaque=True) == StoredBody("YWJj", "base64", False)
