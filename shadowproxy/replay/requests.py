"""The requests of a log, each once however many candidates had it, as they can be sent again, or why they cannot.

A body that was not kept whole cannot be sent: what an upstream says to another request proves nothing.
"""

from __future__ import annotations

from base64 import b64decode
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

TRUNCATED, WITHHELD, NOT_STORED, UNREADABLE = "truncated", "withheld", "not_stored", "unreadable"
# What the ledger calls them: (its kind of loss, its reason).
LEDGER: Final[Mapping[str, tuple[str, str]]] = {
    TRUNCATED: ("dropped", "body_too_large"),
    WITHHELD: ("excluded", "refused"),
    NOT_STORED: ("excluded", "refused"),
    UNREADABLE: ("excluded", "refused"),
}
_CODINGS: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_REMEMBERED: Final = 100_000  # requests whose other candidates' lines may still come


class Request(NamedTuple):
    record: dict[str, Any]  # of one of its pairs
    skipped: str  # "" or why it cannot be sent
    body: bytes
    headers: tuple[tuple[str, str], ...]  # without those that describe a coding the body no longer has
    arrival_s: float  # since 1970

    @property
    def method(self) -> str:
        return str(self.record["request"]["method"])

    @property
    def target(self) -> str:
        return str(self.record["request"]["target"])


def requests(pairs: Iterable[dict[str, Any]]) -> Iterator[Request]:
    """In the order of the log."""
    seen: OrderedDict[object, None] = OrderedDict()
    for pair in pairs:
        name = tuple(pair["src"]) if isinstance(pair.get("src"), list) else pair.get("pair_id")
        if name in seen:
            continue
        seen[name] = None
        if len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        yield _request(pair)


def _request(pair: dict[str, Any]) -> Request:
    request = pair.get("request") or {}
    body, skipped = _body(request)
    plain = request.get("body_encoding") == "utf8"
    without = _CODINGS if plain else _CODINGS - {"content-encoding"}
    headers = tuple((name, value) for name, value in request.get("headers") or () if name.lower() not in without)
    try:
        arrival_s = datetime.fromisoformat(pair["ts"]).timestamp()
    except (KeyError, TypeError, ValueError):
        arrival_s, skipped = 0.0, skipped or UNREADABLE
    if not isinstance(request.get("method"), str) or not str(request.get("target", "")).startswith("/"):
        skipped = skipped or UNREADABLE
    return Request(pair, skipped, body, headers, arrival_s)


def _body(request: Mapping[str, Any]) -> tuple[bytes, str]:
    encoding, body = request.get("body_encoding"), request.get("body")
    if request.get("body_truncated"):
        return b"", TRUNCATED
    if isinstance(body, str):
        return (b64decode(body) if encoding == "base64" else body.encode()), ""
    if encoding == WITHHELD:
        return b"", WITHHELD
    return b"", NOT_STORED if request.get("body_bytes") else ""
