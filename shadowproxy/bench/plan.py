"""What load is offered."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from shadowproxy.bench.address import Address


@dataclass(frozen=True, slots=True)
class Plan:
    """A fixed set of keep-alive connections to one address, one request at a time on each; `requests` take turns.

    With a rate a request is due every 1/`rate_per_s`, whatever became of those before. Without one each connection
    sends its next request when it has its answer, as fast as that goes: a closed loop, as wrk has it. Requests that are
    due during the first `warmup_s` are sent but not reported; `duration_s` is the window that follows.
    """

    address: Address
    requests: Sequence[bytes]
    rate_per_s: float | None
    duration_s: float
    warmup_s: float = 0.0
    connections: int = 32
    timeout_s: float = 10.0  # for one answer
    grace_s: float = 5.0  # how long the last answers are waited for
    tls: ssl.SSLContext | None = None

    def endless(self) -> cycle[bytes]:
        return cycle(self.requests)


def request_bytes(method: str, target: str, host: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """One request as it goes over the wire. A body of no bytes is announced only where one is usual."""
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(name.lower() == "host" for name in headers):
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
