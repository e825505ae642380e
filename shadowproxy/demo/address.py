"""Can the proxy listen there? Better known before the models are trained than after."""

from __future__ import annotations

import socket

from shadowproxy.demo.errors import DemoError
from shadowproxy.settings import syntax


def free(listen: str) -> str:
    """The address in its canonical spelling. ValueError where it is none, DemoError where it cannot be had."""
    address = syntax.address(listen)
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as look:
            look.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            look.bind(where)
    except OSError as e:
        reason = (e.strerror or str(e)).lower()
        raise DemoError(f"the proxy cannot listen on {address}: {reason}; --listen takes another HOST:PORT") from e
    return address
