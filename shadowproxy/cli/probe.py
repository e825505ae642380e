"""Is an upstream ready? A connection as a worker would make it, and one GET; what was done is part of the answer."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shadowproxy.settings.snapshot import Snapshot, UpstreamTls

READY_PATH: Final = "/v2/health/ready"
_ANSWER_TIMEOUT_S: Final = 5.0
_UNKNOWN: Final = frozenset({404, 405, 501})  # the server does not speak the Open Inference Protocol


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    url: str
    tls: UpstreamTls
    connect_s: float
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    target: Target
    ready: bool
    done: str

    def __str__(self) -> str:
        return f"{self.target.name} at {self.target.url}: {'ready' if self.ready else 'NOT READY'} ({self.done})"


def probe_all(snapshot: Snapshot) -> Iterator[Finding]:
    """Production's URLs, the twin, the candidates, in this order."""
    production = snapshot.production
    connect_s = production.timeouts.connect
    targets = [Target(production.name, url, production.tls, connect_s) for url in production.urls]
    shadows = (snapshot.twin, *snapshot.candidates) if snapshot.twin else snapshot.candidates
    targets += [Target(s.name, s.url, s.tls, connect_s, s.headers_set) for s in shadows]
    return map(probe, targets)


def probe(target: Target) -> Finding:
    done: list[str] = []
    try:
        for path in (READY_PATH, "/"):
            status = _get(target, path, done)
            if path == "/" or status not in _UNKNOWN:
                break
    except (OSError, http.client.HTTPException) as e:
        reason = getattr(e, "strerror", None) or str(e) or type(e).__name__
        return Finding(target, False, "; ".join([*done, reason]))
    is_ready = 200 <= status < 300 if path == READY_PATH else status < 500
    return Finding(target, is_ready, "; ".join(done))


def _get(target: Target, path: str, done: list[str]) -> int:
    """One GET on a connection of its own. Its steps are appended to `done` as they are tried."""
    began = time.perf_counter()
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    done.append("TLS connect" if secure else "TCP connect")
    with socket.create_connection((host, parts.port or (443 if secure else 80)), target.connect_s) as plain:
        plain.settimeout(_ANSWER_TIMEOUT_S)
        if not secure:
            return _ask(plain, parts.netloc, path, target, done, began)
        with _context(target.tls).wrap_socket(plain, server_hostname=target.tls.server_name or host) as wrapped:
            return _ask(wrapped, parts.netloc, path, target, done, began)


def _ask(sock: socket.socket, netloc: str, path: str, target: Target, done: list[str], began: float) -> int:
    done[-1] += " ok"
    done.append(f"GET {path}")
    connection = http.client.HTTPConnection(netloc)
    connection.sock = sock
    connection.request("GET", path, headers=dict(target.headers) | {"Connection": "close"})
    status = connection.getresponse().status
    done[-1] += f" → {status}, {1000 * (time.perf_counter() - began):.0f} ms"
    return status


def _context(tls: UpstreamTls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
