"""Via and X-Forwarded-*, as the requests of one client's connection carry them to the upstreams.

Law: what a client says of who asked before it is believed, and added to, only where `runtime.trusts` its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.proxy.runtime import Runtime


class Forwarded:
    """Made once a connection; its lines stay the same for as long as the client's head and the configuration do."""

    __slots__ = ("_head", "_lines", "_of_client", "_peer", "_proto", "_runtime", "_trusted")

    def __init__(self, peer: str, secure: bool) -> None:
        # RFC 4291 §2.5.5.2: so a socket for both families calls a client of IPv4, whom others know without the prefix.
        self._peer = peer.removeprefix("::ffff:")
        self._proto = b"https" if secure else b"http"
        self._head: RequestHead | None = None
        self._lines = b""
        self._runtime: Runtime | None = None
        self._of_client = b""
        self._trusted = False

    def lines(self, head: RequestHead, runtime: Runtime) -> bytes:
        """A head is of one configuration, so its lines here are those of before."""
        if self._head is not head:
            self._lines = self._lines_of(head, runtime)
            self._head = head
        return self._lines

    def forget(self) -> None:
        """The connection has ended: keep no head and no configuration alive."""
        self._head = self._runtime = None

    def _lines_of(self, head: RequestHead, runtime: Runtime) -> bytes:
        if self._runtime is not runtime:
            self._runtime = runtime
            self._trusted = runtime.trusts(self._peer)
            self._of_client = _client(self._peer.encode(), self._proto)
        via = runtime.via_10 if head.old else runtime.via_11
        if self._trusted and (head.forwarded_for or head.forwarded_proto or head.forwarded_host):
            chain = b", ".join([*head.forwarded_for, self._peer.encode()])
            host = head.forwarded_host or head.host
            return via + _client(chain, head.forwarded_proto or self._proto) + _host(host)
        return via + self._of_client + _host(head.host)


def _client(chain: bytes, proto: bytes) -> bytes:
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n" % (chain, proto)


def _host(host: bytes) -> bytes:
    """What the client called us; a client of HTTP/1.0 need not call us anything."""
    return b"X-Forwarded-Host: %b\r\n" % host if host else b""
