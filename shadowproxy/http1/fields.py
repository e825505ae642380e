"""Header fields that mean something to a proxy, by code, so that one dict lookup a field decides.

Every other field passes untouched, unread. Sources: RFC 9110 §7.6 (what an intermediary removes or adds), RFC 9112 §6.
"""

from __future__ import annotations

from typing import Final

(
    HOST,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    UPGRADE,
    VIA,
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    REQUEST_ID,
    EXPECT,
    SHADOW,
    CREDENTIAL,
    IDEMPOTENCY_KEY,
    TRACEPARENT,
) = range(1, 19)

REQUEST_FIELDS: Final[dict[bytes, int]] = {
    b"host": HOST,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"connection": CONNECTION,
    b"keep-alive": KEEP_ALIVE,
    b"proxy-connection": PROXY_CONNECTION,
    b"te": TE,
    b"upgrade": UPGRADE,
    b"via": VIA,
    b"x-forwarded-for": FORWARDED_FOR,
    b"x-forwarded-proto": FORWARDED_PROTO,
    b"x-forwarded-host": FORWARDED_HOST,
    b"x-request-id": REQUEST_ID,
    b"expect": EXPECT,
    b"x-shadow": SHADOW,
    b"x-shadow-candidate": SHADOW,
    b"authorization": CREDENTIAL,
    b"proxy-authorization": CREDENTIAL,
    b"cookie": CREDENTIAL,
    b"x-api-key": CREDENTIAL,
    b"idempotency-key": IDEMPOTENCY_KEY,
    b"traceparent": TRACEPARENT,
}

ANSWER_FIELDS: Final[dict[bytes, int]] = {
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"connection": CONNECTION,
    b"keep-alive": KEEP_ALIVE,
    b"proxy-connection": PROXY_CONNECTION,
    b"te": TE,
    b"upgrade": UPGRADE,
}

# Never sent on as they came; what must be said again is added by us.
HOP_BY_HOP: Final = frozenset({CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE})

# A Connection field may name a field to be removed; naming one of these would change what the message is.
NOT_REMOVABLE: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})

# RFC 9110 §6.5.1: what a trailer section must not carry; such a field in a trailer is dropped.
NOT_IN_TRAILERS: Final = (frozenset(REQUEST_FIELDS) - {b"traceparent"}) | {
    b"trailer",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"set-cookie",
    b"www-authenticate",
    b"proxy-authenticate",
    b"cache-control",
    b"max-forwards",
    b"range",
    b"content-location",
    b"location",
}


class Codes:
    """Field name as spelled → code, 0 for a field without meaning here: one dict lookup where spellings repeat.

    A memo in front of a table of lower-case names. It is bounded, and forgets everything when it is full, so that
    clients that invent names cost time but no memory.
    """

    __slots__ = ("_table", "get", "spelled")

    def __init__(self, table: dict[bytes, int]) -> None:
        self._table = table
        self.spelled: dict[bytes, int] = {}
        self.get = self.spelled.get

    def learn(self, name: bytes) -> int:
        code = self._table.get(name.lower(), 0)
        if len(self.spelled) >= 2048:
            self.spelled.clear()
        if len(name) <= 64:
            self.spelled[name] = code
        return code


def tokens(value: bytes) -> list[bytes]:
    """The members of a comma-separated list, in lower case, without empty ones."""
    return [member for part in value.lower().split(b",") if (member := part.strip(b" \t"))]
