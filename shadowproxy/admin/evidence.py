"""What is known of candidates: their trials, the live verdict, and the report in any form."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web

from shadowproxy.settings.snapshot import encode

from .asked import AskedError, ask
from .exchange import answer, listed, one_of, query, text
from .problems import Refusal
from .view import VIEW

routes = web.RouteTableDef()

REPORT_S: Final = 60
TRIALS_S: Final = 30
# The form's media type. HTML is a file to be kept: pages of this origin run nothing that a log could bring along.
FORMATS: Final = {
    "json": "application/json",
    "text": "text/plain",
    "markdown": "text/markdown",
    "html": "text/html",
    "junit": "application/xml",
}


@routes.get("/api/v1/candidates/{name}/verdict")
async def verdict(request: web.Request) -> web.Response:
    """The record of the report's `candidates.NAME` for the present trial; null figures before anything was judged."""
    view, name = request.app[VIEW], request.match_info["name"]
    query(request, {})
    candidate = view.candidate(name)
    record = await view.verdicts.of(name)
    if record is not None:
        return answer(dict(record))
    waiting = f"{name} has not been judged yet."
    return answer({"name": name, "trial": candidate.trial, "verdict": None, "headline": waiting, "gates": []})


@routes.get("/api/v1/trials")
async def trials(request: web.Request) -> web.Response:
    """Every trial in the log, the newest first, and those under way that have no pair yet."""
    view = request.app[VIEW]
    asked = query(request, {"candidate": text})
    try:
        found = orjson.loads(await ask({"what": "trials", "paths": [view.snapshot.pairs.dir]}, TRIALS_S))
    except AskedError as e:
        if not e.is_answer:
            raise Refusal(503, str(e), {"Retry-After": "5"}) from None
        found = []
    verdicts = await view.verdicts.all()
    present = {one.trial: one for one in view.snapshot.candidates}
    items = [
        {
            "trial": one.trial,
            "candidate": one.name,
            "origin": "live",
            "production": view.snapshot.production.name,
            "production_versions": [view.snapshot.production.version],
            "shadow_versions": [one.version],
            "first_ts": None,
            "last_ts": None,
            "pairs": 0,
            "warmup_pairs": 0,
        }
        for one in present.values()
        if one.trial not in {trial["trial"] for trial in found}
    ] + found
    for item in items:
        record = verdicts.get(item["candidate"]) if item["trial"] in present else None
        item["present"] = item["trial"] in present
        item["verdict"] = record.get("verdict") if record else None
        item["headline"] = record.get("headline") if record else None
    return listed([item for item in items if asked.get("candidate") in (None, item["candidate"])])


@routes.get("/api/v1/report")
async def report(request: web.Request) -> web.Response:
    """The report of the log by the configuration in force, made now, in a process of its own."""
    view = request.app[VIEW]
    asked = query(request, {"candidate": text, "trial": text, "format": one_of(*FORMATS)})
    form = asked.get("format", "json")
    question: dict[str, Any] = {
        "what": "report",
        "paths": [view.snapshot.pairs.dir],
        "snapshot": orjson.loads(encode(view.snapshot)),
        "candidate": asked.get("candidate"),
        "trial": asked.get("trial", "newest"),
        "format": form,
    }
    try:
        body = await ask(question, REPORT_S)
    except AskedError as e:
        said = str(e).removeprefix("--")  # as on the command line, where it is an option
        raise Refusal(404 if e.is_answer else 503, said, None if e.is_answer else {"Retry-After": "5"}) from None
    headers = {"Content-Type": f"{FORMATS[form]}; charset=utf-8" if form != "json" else FORMATS[form]}
    if form == "html":
        headers["Content-Disposition"] = 'attachment; filename="shadowproxy-report.html"'
    return web.Response(body=body, headers=headers)
