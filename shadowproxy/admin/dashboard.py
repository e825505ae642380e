"""The dashboard: a page that needs nothing but this port, and nothing of which is secret.

    GET /               the page: it holds no figure, its scripts ask the API, with the token if there is one
    GET /assets/NAME    what it is made of

Neither needs a token. The page's policy lets it run its own scripts, apply its own styles and ask this port: nothing
inline, nothing evaluated, nothing from elsewhere, and no string becomes markup (Trusted Types).
"""

from __future__ import annotations

from importlib import resources
from typing import Final, NamedTuple

from aiohttp import web

from shadowproxy.pages import assets

routes = web.RouteTableDef()

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

_JS, _CSS, _SVG = "text/javascript", "text/css", "image/svg+xml"


class _Asset(NamedTuple):
    kind: str
    shared: str = ""  # its name in the room of pages; else it lies beside this file


ASSETS: Final = {
    "base.css": _Asset(_CSS, assets.BASE_CSS),
    "figures.css": _Asset(_CSS, assets.FIGURES_CSS),
    "uplot.css": _Asset(_CSS, assets.UPLOT_CSS),
    "uplot.js": _Asset(_JS, assets.UPLOT_JS),
    "dashboard.css": _Asset(_CSS),
    "icon.svg": _Asset(_SVG),
    "dashboard.js": _Asset(_JS),
    "api.js": _Asset(_JS),
    "banners.js": _Asset(_JS),
    "beside.js": _Asset(_JS),
    "candidate.js": _Asset(_JS),
    "charts.js": _Asset(_JS),
    "controls.js": _Asset(_JS),
    "dom.js": _Asset(_JS),
    "gates.js": _Asset(_JS),
    "pairs.js": _Asset(_JS),
    "past.js": _Asset(_JS),
    "words.js": _Asset(_JS),
}
PATHS: Final = frozenset({"/", *(f"/assets/{name}" for name in ASSETS)})


@routes.get("/")
async def page(request: web.Request) -> web.Response:
    return _answer(_own("dashboard.html"), "text/html")


@routes.get("/assets/{name}")
async def asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    found = ASSETS.get(name)
    if found is None:
        raise web.HTTPNotFound
    return _answer(assets.raw(found.shared) if found.shared else _own(name), found.kind)


def _answer(body: bytes, kind: str) -> web.Response:
    return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Content-Security-Policy": POLICY})


def _own(name: str) -> bytes:
    return resources.files(__package__).joinpath("static", name).read_bytes()
