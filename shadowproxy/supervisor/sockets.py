"""The sockets that the supervisor opens, keeps for its whole life, and passes on to children.

A worker slot's socket outlives the worker: what waits in its queue is served by the slot's next worker.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
from typing import Final

from .errors import StartError

BACKLOG: Final = 4096
PORT_ATTEMPTS: Final = 5  # for port 0: somebody may take the port between our look and our bind
RECORDER_SOCKET: Final = "recorder.sock"
PREFIX: Final = "shadowproxy-"
LONGEST_PATH: Final = 107  # bytes of a unix socket's path: sun_path without its final NUL (unix(7))
SHORT_PLACES: Final = ("/tmp", "/var/tmp", "/dev/shm")  # where TMPDIR is too deep for that


def address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(address: str) -> tuple[str, int]:
    """`host:port`, `[v6]:port`, `:port` (every interface) as (host, port)."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise StartError(f"cannot listen on {address!r}: expected HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bound_address(sock: socket.socket, address: str) -> str:
    """`address` as it was configured, with the port that port 0 became."""
    host, port = sock.getsockname()[:2]
    return address_text(split_address(address)[0] or host, port)


def open_slots(address: str, count: int) -> list[socket.socket]:
    """One listening SO_REUSEPORT socket per slot, all on the same address.

    With SO_REUSEPORT a second proxy of the same user would join silently and take half of the traffic. So each time a
    socket without it looks first whether anybody listens.
    """
    host, port = split_address(address)
    for attempt in range(PORT_ATTEMPTS):
        with _bound(address, host, port, reuse_port=False) as look:
            actual = int(look.getsockname()[1])
        slots: list[socket.socket] = []
        try:
            for _ in range(count):
                slots.append(_bound(address, host, actual, reuse_port=True))
            return [_listening(sock, address) for sock in slots]
        except StartError:
            close(slots)
            if port or attempt == PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def open_admin(address: str) -> socket.socket:
    host, port = split_address(address)
    return _listening(_bound(address, host, port, reuse_port=False), address)


class RuntimeDirectory:
    """A private directory (mode 0700) with the recorder's listening unix socket in it."""

    def __init__(self) -> None:
        try:
            self.path = tempfile.mkdtemp(prefix=PREFIX, dir=_place())
        except OSError as e:
            raise StartError(f"cannot make a directory for the recorder's socket: {_reason(e)}; set TMPDIR") from e
        self.recorder_path = os.path.join(self.path, RECORDER_SOCKET)
        self.recorder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.recorder.bind(self.recorder_path)
            self.recorder.listen(BACKLOG)
            self.recorder.setblocking(False)
        except OSError as e:
            self.remove()
            raise StartError(f"cannot open {self.recorder_path}: {_reason(e)}; set TMPDIR") from e

    def remove(self) -> None:
        self.recorder.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _place() -> str:
    """A directory for temporary files whose path leaves room for the socket's own."""
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) + len(f"/{PREFIX}01234567/{RECORDER_SOCKET}") <= LONGEST_PATH:
        return usual
    return next((place for place in SHORT_PLACES if os.access(place, os.W_OK | os.X_OK)), usual)


def close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _bound(address: str, host: str, port: int, *, reuse_port: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as e:
        raise StartError(f"cannot listen on {address}: {_reason(e)}") from e
    family, kind, protocol, _, sockaddr = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(sockaddr)
    except OSError as e:
        sock.close()
        raise _refused(address, e) from e
    sock.setblocking(False)
    return sock


def _listening(sock: socket.socket, address: str) -> socket.socket:
    try:
        sock.listen(BACKLOG)
    except OSError as e:
        sock.close()
        raise _refused(address, e) from e
    return sock


_ADVICE: Final = {
    errno.EADDRINUSE: "another process listens there; stop it or choose another port",
    errno.EACCES: "this user may not use that port; choose one above 1023 or grant CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
}


def _refused(address: str, error: OSError) -> StartError:
    advice = _ADVICE.get(error.errno or 0, _reason(error))
    return StartError(f"cannot listen on {address}: {advice}")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
