"""Durations, sizes and shares: from what people write to seconds, bytes and fractions, and back.

Law: `parse(format(x)) == x` for every value that a parser can return. Numbers go through Decimal, so that `0.1%` is
the float nearest to 0.001, not a product of rounded factors. A bare number is refused where its unit would be a guess;
a bare size is in bytes, as everywhere else.
"""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from typing import Final

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
DURATION_UNITS: Final = {
    "d": Decimal(86400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("0.000001"),
}
SIZE_UNITS: Final = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
MAX_DURATION_S: Final = 36500 * 86400.0
MAX_SIZE_BYTES: Final = 1 << 60

DURATION_PATTERN: Final = rf"^(0|((?:{_NUMBER})(d|h|m|s|ms|us))+)$"
SIZE_PATTERN: Final = rf"^([0-9]+|(?:{_NUMBER})({'|'.join(SIZE_UNITS)}))$"
SHARE_PATTERN: Final = rf"^(0|0?\.[0-9]+|(?:{_NUMBER})%)$"

_DURATION: Final = re.compile(DURATION_PATTERN, re.ASCII)
_DURATION_PART: Final = re.compile(rf"({_NUMBER})(ms|us|d|h|m|s)", re.ASCII)
_SIZE: Final = re.compile(SIZE_PATTERN, re.ASCII)
_SIZE_SPLIT: Final = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)", re.ASCII)
_SHARE: Final = re.compile(SHARE_PATTERN, re.ASCII)
_BARE: Final = re.compile(rf"(?:{_NUMBER})(?:[eE][+-]?[0-9]+)?", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. `250ms`, `5s`, `2m`, `7d`, `1h30m`; a bare `0` is the one number without a unit. Raises ValueError."""
    if text == "0":
        return 0.0
    if _BARE.fullmatch(text):
        raise ValueError(f"expected a duration with its unit, there was {text}; did you mean {text}s?")
    if not _DURATION.fullmatch(text):
        raise ValueError(f"expected a duration such as 250ms, 5s, 2m or 7d, there was {text!r}")
    parts = _DURATION_PART.findall(text)
    scales = [DURATION_UNITS[unit] for _, unit in parts]
    if any(later >= earlier for earlier, later in itertools.pairwise(scales)):
        raise ValueError(f"expected the units of a duration from long to short, as in 1h30m, there was {text!r}")
    seconds = float(sum(Decimal(number) * scale for (number, _), scale in zip(parts, scales, strict=True)))
    if seconds > MAX_DURATION_S:
        raise ValueError(f"expected a duration of at most 36500d, there was {text}")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest whole number of days, hours or minutes, else seconds, else milliseconds."""
    exact = Decimal(repr(seconds))
    if not exact:
        return "0s"
    for unit in ("d", "h", "m"):
        if exact % DURATION_UNITS[unit] == 0:
            return f"{_plain(exact / DURATION_UNITS[unit])}{unit}"
    return f"{_plain(exact)}s" if exact >= 1 else f"{_plain(exact * 1000)}ms"


def parse_size(text: str) -> int:
    """Bytes. `64KiB`, `10MiB`, `1.5GiB`, `512B`, `10MB` (10**6), or a bare whole number. Raises ValueError."""
    match = _SIZE_SPLIT.fullmatch(text)
    if match and not match[2] and text.isdigit():
        text += "B"
        match = _SIZE_SPLIT.fullmatch(text)
    if not _SIZE.fullmatch(text) or not match:
        near = _near_size(match[1], match[2]) if match else ""
        raise ValueError(f"expected a size such as 512B, 64KiB or 10MiB, there was {text!r}{near}")
    exact = Decimal(match[1]) * SIZE_UNITS[match[2]]
    if exact != exact.to_integral_value():
        raise ValueError(f"expected a whole number of bytes, there was {text} = {_plain(exact)} bytes")
    if exact > MAX_SIZE_BYTES:
        raise ValueError(f"expected a size of at most 1048576TiB, there was {text}")
    return int(exact)


def _near_size(number: str, unit: str) -> str:
    folded = {known.casefold(): known for known in SIZE_UNITS} | {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB"}
    known = folded.get(unit.casefold())
    return f"; did you mean {number}{known}?" if known else ""


def format_size(size_bytes: int) -> str:
    """The largest binary unit that divides it."""
    if size_bytes == 0:
        return "0"
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes % SIZE_UNITS[unit] == 0:
            return f"{size_bytes // SIZE_UNITS[unit]}{unit}"
    return f"{size_bytes}B"


def parse_share(text: str) -> float:
    """A fraction in 0…1. `10%`, or a number below 1 with a point (`0.1`); `1` could mean either. Raises ValueError."""
    if not _SHARE.fullmatch(text):
        if _BARE.fullmatch(text):
            number = Decimal(text)
            hundredfold = f" or {_plain(number * 100)}%" if number <= 1 else ""
            raise ValueError(f"expected a share, there was {text}: write {_plain(number)}%{hundredfold}")
        raise ValueError(f"expected a share such as 10% or 0.1, there was {text!r}")
    share = float(Decimal(text[:-1]) / 100) if text.endswith("%") else float(Decimal(text))
    if share > 1:
        raise ValueError(f"expected a share of at most 100%, there was {text}")
    return share


def format_share(share: float) -> str:
    """In per cent."""
    return f"{_plain(Decimal(repr(share)) * 100)}%"


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
