"""Header fields of heads that workers hand over as received, read leniently: they were checked, or refused, before.

Field lines repeat from answer to answer, so what was read of a line is remembered: 10 lines take 1 µs in place of 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from shadowproxy.pairlog.record import opened, request_front

_REMEMBERED: Final = 4096
_END: Final = [b"", b""]
_REMEMBERED_BYTES: Final = 256  # longer lines are hardly ever the same again
_REMEMBERED_HEADS: Final = 256
_REMEMBERED_HEAD_BYTES: Final = 1024


class Field(NamedTuple):
    key: str  # the name in lower case
    name: str
    value: str


class _Known(dict[bytes, Field]):
    """Line → field; a line that is not known is learned by looking it up."""

    def __missing__(self, line: bytes) -> Field:
        raw, _, value = line.partition(b":")
        name = text(raw).strip()
        field = Field(name.lower(), name, text(value.strip(b" \t\r\n")))
        if len(line) <= _REMEMBERED_BYTES:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[line] = field
        return field


_known: Final = _Known()


def text(raw: bytes) -> str:
    """UTF-8 where it is that, else every byte as one character: nothing is refused, nothing lost."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def split(head: bytes) -> tuple[str, list[Field]]:
    """(first line, fields in order); an empty head has neither."""
    return text(head.partition(b"\r\n")[0]), fields_of(head)


def fields_of(head: bytes) -> list[Field]:
    lines = head.split(b"\r\n")
    if lines[-2:] == _END:
        return [_known[line] for line in lines[1:-2]]
    return [_known[line] for line in lines[1:] if line]


# What stands at the beginning of an exchange in a line, where no error is told: by role, outcome, status, bad and
# fingerprint.
Fronts = dict[tuple[int, int, int, bool, str | None], bytes]


class AnswerHead(NamedTuple):
    """An answer's head as a plan reads it."""

    fields: list[Field]
    compared: tuple[tuple[str, str], ...]  # what comparison may look at
    stored: list[tuple[str, str]]
    coding: str  # Content-Encoding
    server: str | None
    fronts: Fronts  # those that were written


class AnswerHeads(dict[bytes, AnswerHead]):
    """Head → what is read of it. Within a second a model's heads are often the same: they are remembered."""

    def __init__(self, compared: frozenset[str], stored: frozenset[str]) -> None:
        super().__init__()
        self._compared = compared
        self._stored = stored

    def __missing__(self, head: bytes) -> AnswerHead:
        fields = fields_of(head)
        read = AnswerHead(
            fields,
            tuple([(field.name, field.value) for field in fields if field.key in self._compared]),
            [(field.name, field.value) for field in fields if field.key in self._stored],
            values_of(fields, "content-encoding"),
            value_of(fields, "server"),
            {},
        )
        if len(head) <= _REMEMBERED_HEAD_BYTES:
            if len(self) >= _REMEMBERED_HEADS:
                self.clear()
            self[head] = read
        return read


class RequestHead(NamedTuple):
    """A request's head as a plan reads it."""

    line: tuple[str, str]  # method, target
    fields: list[Field]
    coding: str  # Content-Encoding
    front: bytes  # what stands at the beginning of the request in a line: redacted, as the plan says


class RequestHeads(dict[bytes, RequestHead]):
    """Head → what is read of it; `shown(target)` is the target without its secrets."""

    def __init__(self, stored: frozenset[str], shown: Callable[[str], str]) -> None:
        super().__init__()
        self._stored = stored
        self._shown = shown

    def __missing__(self, head: bytes) -> RequestHead:
        first, fields = split(head)
        line = method, target = request_line(first)
        stored = [(field.name, field.value) for field in fields if field.key in self._stored]
        front = opened(request_front(method, self._shown(target), stored))
        read = RequestHead(line, fields, values_of(fields, "content-encoding"), front)
        if len(head) <= _REMEMBERED_HEAD_BYTES:
            if len(self) >= _REMEMBERED_HEADS:
                self.clear()
            self[head] = read
        return read


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
