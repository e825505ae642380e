from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadowproxy.core.sampling import cookie, is_sampled, point, text_key

# Each from `python -c "import hashlib; print(hashlib.blake2b(KEY, digest_size=8, person=b'shadowproxy').hexdigest())"`.
POINTS = {
    b"": "8277b7a908b44df3",
    b"a": "5391d9336a9f6c4b",
    b"order-17": "596ca4086c788dfa",
    b"0190163d-8694-739b-aea5-966c26f8ad91": "41aafc6359c56124",
    b"Z\xc3\xbcrich": "3f3d2f7fb403c379",
}


@pytest.mark.parametrize(("key", "digits"), POINTS.items())
def test_points_stay_where_they_are(key: bytes, digits: str) -> None:
    """A change would resample every running trial."""
    assert point(key) == int(digits, 16) / 2**64


@given(st.binary())
def test_a_point_lies_in_the_unit_interval(key: bytes) -> None:
    assert 0.0 <= point(key) < 1.0


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_share_of_keys_is_taken(share: float) -> None:
    """Within 3 σ of the binomial for 20,000 keys; the keys are fixed, so the outcome is too."""
    n = 20_000
    taken = sum(is_sampled(b"key-%d" % number, share) for number in range(n))
    assert abs(taken - n * share) <= 3 * math.sqrt(n * share * (1 - share))


@given(st.binary(), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_sample_lies_inside_a_larger_one(key: bytes, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert is_sampled(key, larger) or not is_sampled(key, smaller)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"order-17"', b"order-17"),
        ('"Z\\u00fcrich"', "Zürich".encode()),
        ('"\\ud800"', b"\xed\xa0\x80"),
        ("17", b"17"),
        ("123456789012345678901234567890", b"123456789012345678901234567890"),
        ("1.0", b"1.0"),
        ("true", b"true"),
        ('["a", 1]', b'["a", 1]'),
        ("null", None),
        ('""', b""),
        (None, None),
    ],
)
def test_a_json_value_is_a_key_as_it_is_spelled(text: str | None, key: bytes | None) -> None:
    assert text_key(text) == key


@given(st.binary())
def test_nothing_and_everything_are_exact(key: bytes) -> None:
    assert not is_sampled(key, 0.0)
    assert is_sampled(key, 1.0)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"session=abc", b"abc"),
        (b"a=1; session=abc; b=2", b"abc"),
        (b"a=1;session=abc", b"abc"),
        (b"session=a=b", b"a=b"),
        (b"session=", b""),
        (b"session", b""),
        (b"xsession=abc", None),
        (b"session2=abc", None),
        (b"", None),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(header: bytes, value: bytes | None) -> None:
    assert cookie(header, b"session") == value
