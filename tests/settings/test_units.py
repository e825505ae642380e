"""Durations, sizes and shares: what is read, what is refused with which sentence, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shadowproxy.settings import units

DURATIONS = [
    ("250ms", 0.25),
    ("5s", 5.0),
    ("2m", 120.0),
    ("1h", 3600.0),
    ("7d", 604800.0),
    ("1.5s", 1.5),
    (".5s", 0.5),
    ("100us", 0.0001),
    ("1h30m", 5400.0),
    ("1d12h0m1s250ms", 86400.0 + 43200 + 1.25),
    ("0", 0.0),
    ("0s", 0.0),
    ("0.1s", 0.1),
    ("36500d", 36500 * 86400.0),
]
SIZES = [
    ("64KiB", 65536),
    ("10MiB", 10 << 20),
    ("1.5GiB", 3 << 29),
    ("512B", 512),
    ("1TiB", 1 << 40),
    ("10kB", 10_000),
    ("10MB", 10_000_000),
    ("0", 0),
    ("0B", 0),
]
SHARES = [
    ("10%", 0.1),
    ("0.1", 0.1),
    (".1", 0.1),
    ("0.1%", 0.001),
    ("100%", 1.0),
    ("0%", 0.0),
    ("0", 0.0),
    ("0.0", 0.0),
    ("0.999", 0.999),
    ("33.3%", 0.333),
    ("1%", 0.01),
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(("text", "share"), SHARES)
def test_a_share_is_read_as_a_fraction(text: str, share: float) -> None:
    assert units.parse_share(text) == share


SUCH_AS = "expected a duration such as 250ms, 5s, 2m or 7d, there was"
SIZE_SUCH_AS = "expected a size such as 512B, 64KiB or 10MiB, there was"
REFUSED_DURATIONS = [
    ("5", "expected a duration with its unit, there was 5; did you mean 5s?"),
    ("1e3", "expected a duration with its unit, there was 1e3; did you mean 1e3s?"),
    ("", f"{SUCH_AS} ''"),
    ("5 s", f"{SUCH_AS} '5 s'"),
    ("-5s", f"{SUCH_AS} '-5s'"),
    ("5sec", f"{SUCH_AS} '5sec'"),
    ("5S", f"{SUCH_AS} '5S'"),
    ("s", f"{SUCH_AS} 's'"),
    ("٥s", f"{SUCH_AS} '٥s'"),
    ("30m1h", "expected the units of a duration from long to short, as in 1h30m, there was '30m1h'"),
    ("1s1s", "expected the units of a duration from long to short, as in 1h30m, there was '1s1s'"),
    ("36501d", "expected a duration of at most 36500d, there was 36501d"),
]
REFUSED_SIZES = [
    ("6.4", f"{SIZE_SUCH_AS} '6.4'"),
    ("64kib", f"{SIZE_SUCH_AS} '64kib'; did you mean 64KiB?"),
    ("64K", f"{SIZE_SUCH_AS} '64K'; did you mean 64KiB?"),
    ("64 KiB", f"{SIZE_SUCH_AS} '64 KiB'; did you mean 64KiB?"),
    ("64mb", f"{SIZE_SUCH_AS} '64mb'; did you mean 64MB?"),
    ("64KiBs", f"{SIZE_SUCH_AS} '64KiBs'"),
    ("-1KiB", f"{SIZE_SUCH_AS} '-1KiB'"),
    ("", f"{SIZE_SUCH_AS} ''"),
    ("0.3KiB", "expected a whole number of bytes, there was 0.3KiB = 307.2 bytes"),
    ("2000000TiB", "expected a size of at most 1048576TiB, there was 2000000TiB"),
]
REFUSED_SHARES = [
    ("1", "expected a share, there was 1: write 1% or 100%"),
    ("1.0", "expected a share, there was 1.0: write 1% or 100%"),
    ("5", "expected a share, there was 5: write 5%"),
    ("100", "expected a share, there was 100: write 100%"),
    ("1e-3", "expected a share, there was 1e-3: write 0.001% or 0.1%"),
    ("101%", "expected a share of at most 100%, there was 101%"),
    ("-1%", "expected a share such as 10% or 0.1, there was '-1%'"),
    ("ten%", "expected a share such as 10% or 0.1, there was 'ten%'"),
    ("", "expected a share such as 10% or 0.1, there was ''"),
    ("nan", "expected a share such as 10% or 0.1, there was 'nan'"),
]


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        *((units.parse_duration, *row) for row in REFUSED_DURATIONS),
        *((units.parse_size, *row) for row in REFUSED_SIZES),
        *((units.parse_share, *row) for row in REFUSED_SHARES),
    ],
)
def test_what_is_no_such_value_is_refused_in_a_sentence(parse, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError) as caught:  # noqa: PT011 — the whole message is compared
        parse(text)
    assert str(caught.value) == message


@given(st.floats(0, units.MAX_DURATION_S, allow_nan=False))
@example(5e-324)
@example(1e-7)
def test_a_duration_comes_back_from_its_text(seconds: float) -> None:
    assert units.parse_duration(units.format_duration(seconds)) == seconds


@given(st.integers(0, units.MAX_SIZE_BYTES))
def test_a_size_comes_back_from_its_text(size: int) -> None:
    assert units.parse_size(units.format_size(size)) == size


@given(st.floats(0, 1, allow_nan=False))
@example(5e-324)
def test_a_share_comes_back_from_its_text(share: float) -> None:
    assert units.parse_share(units.format_share(share)) == share


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (60.0, "1m"), (90.0, "90s"), (75.0, "75s"), (7 * 86400.0, "7d"), (0.25, "250ms"), (1.5, "1.5s")],
)
def test_a_duration_is_printed_as_people_write_it(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    for parse in (units.parse_duration, units.parse_size, units.parse_share):
        try:
            outcome = parse(text) >= 0
        except ValueError as e:
            outcome = str(e).startswith("expected ")
        assert outcome
