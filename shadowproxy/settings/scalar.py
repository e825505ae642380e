"""Scalars of the three formats, brought together: text that may be a number, and numbers as people would write them."""

from __future__ import annotations

import re
from typing import Any, Final

from shadowproxy.settings.source.document import Plain

_WHOLE: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_REAL: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_MAX_DIGITS: Final = 30


def native(value: Any, *, quoted_too: bool = True) -> Any:
    """What a scalar means in YAML 1.2's core schema (so `on` and `no` are text). Quoted text stays text unless
    `quoted_too`: a number that came from `"${VAR}"` is one where the key wants a number."""
    if not isinstance(value, str):
        return value
    if not isinstance(value, Plain) and not quoted_too:
        return value
    text = str(value)
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _MAX_DIGITS and _WHOLE.fullmatch(text):
        return int(text)
    if _REAL.fullmatch(text):
        return float(text)
    return text


def text_of(value: str | int | float) -> str:
    """A number as text, without an exponent, so that the readers of units need not know one."""
    if isinstance(value, float):
        text = format(value, ".17f").rstrip("0") if "e" in repr(value) else repr(value)
        return text + "0" if text.endswith(".") else text
    return str(value)


def shown(value: Any) -> str:
    """A value in a message: short, and recognisable to who wrote it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
