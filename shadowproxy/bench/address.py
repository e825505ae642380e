"""Where load goes: a URL, taken apart once."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """A URL that load cannot be sent to; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Address:
    """`target` is what stands in the request line, `authority` in Host."""

    url: str
    host: str
    port: int
    tls: bool
    target: str
    authority: str


def parse(url: str) -> Address:
    """Raises AddressError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"{url}: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise AddressError(f"expected a URL such as http://127.0.0.1:8080/path, there was {url!r}")
    if parts.username is not None:
        raise AddressError(f"{parts.scheme}://{parts.hostname}: give credentials with --header, not in the URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(c <= " " for c in target):
        raise AddressError(f"{url}: expected a path of visible ASCII signs; write others as %XX")
    authority = parts.netloc.rpartition("@")[2]
    return Address(url, parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "https", target, authority)
