"""Header fields of heads that workers hand over as received, read leniently: they were checked, or refused, before.

Field lines repeat from answer to answer, so what was read of a line is remembered: 10 lines take 1 µs in place of 6.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_REMEMBERED: Final = 4096
_REMEMBERED_BYTES: Final = 256  # longer lines are hardly ever the same again


class Field(NamedTuple):
    key: str  # the name in lower case
    name: str
    value: str


_known: dict[bytes, Field] = {}


def text(raw: bytes) -> str:
    """UTF-8 where it is that, else every byte as one character: nothing is refused, nothing lost."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def split(head: bytes) -> tuple[str, list[Field]]:
    """(first line, fields in order); an empty head has neither."""
    if not head:
        return "", []
    first, *lines = head.split(b"\r\n")
    fields = []
    for line in lines:
        if line:
            field = _known.get(line)
            fields.append(_learn(line) if field is None else field)
    return text(first), fields


def request_line(first: str) -> tuple[str, str]:
    """(method, target in origin-form): an authority may hold a password, and no upstream sees it."""
    method, _, rest = first.partition(" ")
    target, _, _ = rest.rpartition(" ")
    if "://" in target and not target.startswith("/"):
        authority, slash, path = target.partition("://")[2].partition("/")
        query = "" if slash else authority.partition("?")[2]
        target = f"/{path}" if slash else f"/?{query}" if query else "/"
    return method, target


def value_of(fields: list[Field], key: str) -> str | None:
    """The first value of a field, its name in lower case."""
    for field in fields:
        if field.key == key:
            return field.value
    return None


def values_of(fields: list[Field], key: str) -> str:
    """All values of a list field, joined."""
    return ", ".join(field.value for field in fields if field.key == key)


def _learn(line: bytes) -> Field:
    raw, _, value = line.partition(b":")
    name = text(raw).strip()
    field = Field(name.lower(), name, text(value.strip(b" \t\r\n")))
    if len(line) <= _REMEMBERED_BYTES:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[line] = field
    return field
