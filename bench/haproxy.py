"""HAProxy as a peer that passes on; by itself it cannot mirror: its spoa-mirror is a program of its own."""

from __future__ import annotations

from pathlib import Path

# One thread, as the others have one; keep-alive on both sides with connections shared among clients.
_CONFIGURATION = """\
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen in
  bind 127.0.0.1:{listen}
  server production 127.0.0.1:{production}
"""


def command(program: str, place: Path, listen: int, production: int) -> list[str]:
    """Writes the configuration and says how to start it in the foreground."""
    file = place / "haproxy.cfg"
    file.write_text(_CONFIGURATION.format(listen=listen, production=production), encoding="utf-8")
    return [program, "-db", "-f", str(file)]
