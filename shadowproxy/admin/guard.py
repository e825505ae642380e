"""Who may ask: every request passes here before its handler.

Host      a page that rebinds its own name to our address sends that name; only names that are ours pass, unless the
          request has the token, which such a page does not know
token     where one is set, everything but the probes and the dashboard's files needs `Authorization: Bearer TOKEN`
origin    a page elsewhere may send a form here without being asked; what changes anything needs our own origin, or none
headers   nothing here is to be framed, sniffed, cached, or read by another origin; there is no CORS
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from .asking import NoAnswerError, RefusedError
from .dashboard import PATHS as PAGE
from .problems import Refusal, of_refusal, problem
from .view import VIEW

_REFUSALS: Final = {"conflict": 409, "elsewhere": 412, "unknown": 404, "fault": 500}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Without a token: whoever probes has none, and a browser has none before the page has asked for it.
OPEN: Final = frozenset({"/livez", "/readyz", "/healthz", "/openapi.json"}) | PAGE
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "shadowproxy",
}

_log = structlog.get_logger()


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The root of every request: whatever is raised becomes a problem."""
    try:
        return await handler(request)
    except web.HTTPException as e:
        return of_refusal(e, request)
    except Refusal as e:
        return e.response()
    except RefusedError as e:
        detail = f"Nothing was changed: {e}"
        if not detail.endswith((".", "?")):
            detail += "."
        return problem(_REFUSALS.get(e.kind, 409), detail, problems=list(e.problems))
    except NoAnswerError as e:
        return problem(503, str(e))
    except Exception as e:  # noqa: BLE001 - logged whole, told without its insides
        _log.error("admin.fault", path=request.path, exc_info=e)
        return problem(500, "This is a fault in shadowproxy; its log says more.")


@web.middleware
async def admission(request: web.Request, handler: Handler) -> web.StreamResponse:
    admin = request.app[VIEW].snapshot.admin
    has_token = bool(admin.token) and bears(request.headers.get("Authorization", ""), admin.token)
    if not has_token and not is_our_name(request.headers.get("Host", ""), admin.listen or "", admin.link):
        return problem(403, _STRANGER)
    if not has_token and request.method not in SAFE and not is_own_origin(request):
        return problem(403, "The Origin header names another site: pages of others may not change anything here.")
    if admin.token and not has_token and request.path not in OPEN:
        return problem(401, "Expected `Authorization: Bearer` and the token of admin.token.", _CHALLENGE)
    return await handler(request)


_STRANGER: Final = (
    "The Host header is neither a literal address, nor localhost, nor where this API listens, nor that of admin.link."
)
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="shadowproxy"'}


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    own_policy = response.headers.get("Content-Security-Policy")
    response.headers.update(SECURITY_HEADERS)
    if own_policy is not None:  # a page's, which lets it run what is its own
        response.headers["Content-Security-Policy"] = own_policy


def is_own_origin(request: web.Request) -> bool:
    """Browsers say the origin of whatever may change something; other clients say none."""
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("Host", "")


def bears(authorization: str, token: str) -> bool:
    """In a time that does not tell how much of the token was right."""
    scheme, _, given = authorization.partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return right and scheme.lower() == "bearer"


def is_our_name(host: str, listen: str, link: str | None = None) -> bool:
    """Whether a Host header names us in a way that no stranger's page can: rebinding needs a name of its own.

    `link` is how others reach us: a name that the operator has given us.
    """
    name = _without_port(host).rstrip(".").lower()
    ours = {"localhost", _without_port(listen).lower(), urlsplit(link or "").hostname or ""}
    return (bool(name) and name in ours) or _is_address(name)


def _without_port(host: str) -> str:
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name if not rest or rest.startswith(":") else host
    return host.partition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
