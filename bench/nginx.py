"""nginx as the models, which answer at once with a fixed body, and as the peer that passes on or mirrors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.scenarios import Scenario

# The master starts one worker. accept_mutex stays off (its default), and multi_accept too: connections are made once.
_FRAME = """\
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  # A line for each request would be a file write that the other side does not make.
  access_log off;
  default_type application/json;
  # Connections stay: by default nginx closes one after 1000 requests, or after 60 s without any.
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  # Bodies of this size stay in memory, and in a directory of our own if ever they do not.
  client_body_buffer_size 16k;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
{servers}
}}
"""

_MODEL = "  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{answer}'; }} }}"

_STATUS = "  server {{ listen 127.0.0.1:{port}; location / {{ stub_status; }} }}"

_UPSTREAM = """\
  upstream {name} {{
    server 127.0.0.1:{port};
    # More idle connections than clients: none is ever closed for want of a place.
    keepalive 128;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
  }}"""

# HTTP/1.1 and an empty Connection header are what nginx needs to keep upstream connections open. Nothing else is set:
# no forwarded headers, no request id, no Via, all of which shadowproxy adds; the comparison favours nginx here.
_PROXY = """\
{upstreams}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / {{
{mirror}      proxy_pass http://production;
    }}
{mirror_location}  }}"""

# The body goes with the copy (the default, said because it is the point). $request_uri is how nginx's documentation
# keeps the original target, which would else be /mirror.
_MIRROR = """\
      mirror /mirror;
      mirror_request_body on;
"""
_MIRROR_LOCATION = """\
    location = /mirror {
      internal;
      proxy_pass http://candidate$request_uri;
    }
"""
_MIRROR_TO = """\
    location = /mirror-{name} {{
      internal;
      proxy_pass {scheme}://{name}$request_uri;
    }}
"""


def models(place: Path, scenario: Scenario, production: int, candidate: int, status: int) -> str:
    """The configuration of production, the candidate and a counter of what both received, at these ports."""
    answers = {production: scenario.production, candidate: scenario.candidate or b""}
    servers = [_MODEL.format(port=port, answer=answer.decode()) for port, answer in answers.items()]
    return _FRAME.format(place=place, servers="\n".join([*servers, _STATUS.format(port=status)]))


def proxy(place: Path, scenario: Scenario, listen: int, production: int, candidate: int) -> str:
    """The configuration of the peer: the same work as far as nginx can do it."""
    upstreams = [_UPSTREAM.format(name="production", port=production)]
    if scenario.mirrors:
        upstreams.append(_UPSTREAM.format(name="candidate", port=candidate))
    server = _PROXY.format(
        upstreams="\n".join(upstreams),
        port=listen,
        mirror=_MIRROR if scenario.mirrors else "",
        mirror_location=_MIRROR_LOCATION if scenario.mirrors else "",
    )
    return _FRAME.format(place=place, servers=server)


def mirroring(place: Path, listen: int, production: int, candidates: Mapping[str, tuple[int, bool]]) -> str:
    """The configuration of a peer that mirrors to several; `candidates`: name → (port, whether over TLS)."""
    upstreams = [_UPSTREAM.format(name="production", port=production)]
    upstreams += [_UPSTREAM.format(name=name, port=port) for name, (port, _) in candidates.items()]
    server = _PROXY.format(
        upstreams="\n".join(upstreams),
        port=listen,
        mirror="".join(f"      mirror /mirror-{name};\n" for name in candidates),
        mirror_location="".join(
            _MIRROR_TO.format(name=name, scheme="https" if tls else "http") for name, (_, tls) in candidates.items()
        ),
    )
    return _FRAME.format(place=place, servers=server)


# Bytes go on as they come, both ways; nothing is written to a file on the way.
_STREAMING = """\
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_buffering off;
"""


def streaming(place: Path, listen: int, production: int, candidate: int | None = None) -> str:
    """The configuration of a peer that passes large bodies and events on."""
    upstreams = [_UPSTREAM.format(name="production", port=production)]
    if candidate is not None:
        upstreams.append(_UPSTREAM.format(name="candidate", port=candidate))
    server = _PROXY.format(
        upstreams="\n".join(upstreams),
        port=listen,
        mirror=_MIRROR if candidate is not None else "",
        mirror_location=_STREAMING + (_MIRROR_LOCATION if candidate is not None else ""),
    )
    return _FRAME.format(place=place, servers=server)


def command(program: str, place: Path, configuration: str) -> list[str]:
    """Writes the configuration into its directory and says how to start it."""
    file = place / "nginx.conf"
    file.write_text(configuration, encoding="utf-8")
    return [program, "-c", str(file), "-p", str(place), "-e", "stderr"]
