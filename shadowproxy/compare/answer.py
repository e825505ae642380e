"""An answer as it came, with what an exchange's end says about it."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True):
    complete: bool  # a whole answer came, whatever its status
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None  # content coding removed; None: not kept, or withheld
    truncated: bool  # the body is only the beginning of what came
    aborted: bool = False  # not complete because the client left: nobody's fault

    def header(self, name: str) -> str | None:
        """The values of a header (name in lower case), joined as RFC 9110 §5.3 allows; None when it is absent."""
        values = [value for field, value in self.headers if field.lower() == name]
        return ", ".join(values) if values else None
