"""Envoy as the peer that mirrors: `request_mirror_policies`, one cluster a candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# Envoy's own circuit breaker of a cluster is 1024 requests; shadowproxy's is `max_in_flight`. Both keep their defaults.
_CONNECT_S = "1s"
_TYPES = "type.googleapis.com/envoy.extensions"


def _cluster(name: str, port: int, *, tls: bool) -> dict[str, object]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    made: dict[str, object] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": _CONNECT_S,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    if tls:
        kind = f"{_TYPES}.transport_sockets.tls.v3.UpstreamTlsContext"
        made["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": {"@type": kind}}
    return made


def configuration(listen: int, production: int, candidates: Mapping[str, tuple[int, bool]]) -> dict[str, object]:
    """`candidates`: name → (port, whether over TLS)."""
    route: dict[str, object] = {"cluster": "production", "timeout": "60s"}
    if candidates:
        route["request_mirror_policies"] = [{"cluster": name} for name in candidates]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "in",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": listen}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    clusters = [_cluster("production", production, tls=False)]
    clusters += [_cluster(name, port, tls=tls) for name, (port, tls) in candidates.items()]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def command(
    program: str, place: Path, listen: int, production: int, candidates: Mapping[str, tuple[int, bool]]
) -> list[str]:
    """Writes the configuration and says how to start it; without the hot restart two of them would meet."""
    file = place / "envoy.json"
    file.write_text(json.dumps(configuration(listen, production, candidates)), encoding="utf-8")
    return [program, "-c", str(file), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
