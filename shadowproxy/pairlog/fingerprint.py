"""How a fingerprint is written in the log: `name=value` parts, as in `model_version of digits=3; server=uvicorn`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

SERVER: Final = "server"
_SEPARATOR: Final = "; "


def joined(parts: Iterable[tuple[str, str]]) -> str | None:
    """Of (name, value), which hold no `;` and no `=`; None where there are none."""
    return _SEPARATOR.join([f"{name}={value}" for name, value in parts]) or None


def parts_of(fingerprint: str) -> Iterator[tuple[str, str]]:
    """(name, value)"""
    for part in fingerprint.split(_SEPARATOR):
        name, _, value = part.partition("=")
        yield name, value
