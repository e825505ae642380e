"""What changes something. Each change is granted by the supervisor in every process or in none, or refused.

`If-Match` with a revision (the ETag of `/api/v1/config`) makes a change only if that is still in force (412 otherwise).
Every answer says which revision is in force now.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from aiohttp import web

from shadowproxy.settings.load import SettingsError, load_candidate
from shadowproxy.settings.scalar import text_of
from shadowproxy.settings.units import parse_duration, parse_share

from .asking import CHANGE_S
from .configured import described
from .exchange import answer, body_of, etag, if_match, query, tree_of, who
from .problems import Refusal
from .view import VIEW, View

routes = web.RouteTableDef()

MAX_STEPS: Final = 20
PASS: Final = "PASS"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")]
# For the description of the API; `settings.units` reads them, and says what is wrong in a sentence.
_PERCENT: Final = r"^(0|0?\.[0-9]{1,17}|(100(\.0{1,9})?|[0-9]{1,2}(\.[0-9]{1,17})?)%)$"
_DURATION: Final = r"^[1-9][0-9]{0,3}(ms|s|m|h|d)$"
Share = (
    Annotated[str, msgspec.Meta(extra_json_schema={"pattern": _PERCENT})]
    | Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0, "exclusiveMaximum": 1})]
)


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Edit(_Body, frozen=True):
    sample: Share | msgspec.UnsetType = msgspec.UNSET
    paused: bool | msgspec.UnsetType = msgspec.UNSET
    gated: bool | msgspec.UnsetType = msgspec.UNSET


class Whom(_Body, frozen=True):
    candidate: Name | None = None


class Back(_Body, frozen=True):
    candidate: Name | None = None
    reason: Reason | None = None


class Reset(_Body, frozen=True):
    reset: bool = False


class Nothing(_Body, frozen=True):
    pass


class Ramp(_Body, frozen=True):
    steps: Annotated[list[Share], msgspec.Meta(min_length=1, max_length=MAX_STEPS)]
    hold: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": _DURATION})]


class Promote(_Body, frozen=True):
    candidate: Name
    force: Reason | None = None
    ramp: Ramp | None = None


@routes.post("/api/v1/candidates")
async def add(request: web.Request) -> web.Response:
    """The body is a candidate's section of a configuration file."""
    view = request.app[VIEW]
    query(request, {})
    try:
        candidate = load_candidate(await tree_of(request), view.snapshot)
    except SettingsError as e:
        problems = [str(problem) for problem in e.problems]
        raise Refusal(422, f"This is no candidate: {'; '.join(problems)}.", problems=problems) from None
    told = await _change(request, "add", {"candidate": candidate.name, "definition": msgspec.to_builtins(candidate)})
    headers = {**etag(told["revision"]), "Location": f"/api/v1/candidates/{candidate.name}"}
    return answer(_one(view, candidate.name), 201, headers)


@routes.patch("/api/v1/candidates/{name}")
async def edit(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    query(request, {})
    body = await body_of(request, Edit)
    wish: dict[str, Any] = msgspec.to_builtins(body)
    if "sample" in wish:
        wish["sample"] = _share(wish["sample"])
    told = await _change(request, "edit", {"candidate": name, **wish})
    return answer(_one(request.app[VIEW], name), headers=etag(told["revision"]))


@routes.delete("/api/v1/candidates/{name}")
async def remove(request: web.Request) -> web.Response:
    query(request, {})
    told = await _change(request, "remove", {"candidate": request.match_info["name"]})
    return web.Response(status=204, headers=etag(told["revision"]))


@routes.post("/api/v1/candidates/{name}/restart")
async def restart(request: web.Request) -> web.Response:
    """Its trial begins anew."""
    name = request.match_info["name"]
    query(request, {})
    await body_of(request, Nothing)
    told = await _change(request, "restart", {"candidate": name})
    return answer(_one(request.app[VIEW], name), headers=etag(told["revision"]))


@routes.post("/api/v1/pause")
async def pause(request: web.Request) -> web.Response:
    """The kill switch: no copies from now on, to one candidate or to all."""
    return await _for_whom(request, "pause")


@routes.post("/api/v1/resume")
async def resume(request: web.Request) -> web.Response:
    return await _for_whom(request, "resume")


async def _for_whom(request: web.Request, verb: str) -> web.Response:
    query(request, {})
    body = await body_of(request, Whom)
    told = await _change(request, verb, {"candidate": body.candidate})
    return answer(told, headers=etag(told["revision"]))


@routes.post("/api/v1/reload")
async def reload(request: web.Request) -> web.Response:
    """The configuration file is read again; `settled` are the keys of operators that it has taken back."""
    query(request, {})
    body = await body_of(request, Reset)
    told = await _change(request, "reload", {"reset": body.reset})
    return answer(told, headers=etag(told["revision"]))


@routes.post("/api/v1/rollback")
async def rollback(request: web.Request) -> web.Response:
    """Ends a ramp under way, else undoes the newest promotion."""
    query(request, {})
    body = await body_of(request, Back)
    told = await _change(request, "rollback", {"candidate": body.candidate, "reason": body.reason})
    return answer(told, headers=etag(told["revision"]))


@routes.post("/api/v1/promote")
async def promote(request: web.Request) -> web.Response:
    """Refused unless the candidate's trial passes; `force` says why it is done all the same."""
    view = request.app[VIEW]
    query(request, {})
    body = await body_of(request, Promote)
    ramp = None if body.ramp is None else _ramp(body.ramp)
    view.candidate(body.candidate)
    evidence = await view.evidence(body.candidate)
    if evidence["verdict"] != PASS and body.force is None:
        raise Refusal(
            409,
            f"{body.candidate} is not promoted: its verdict is {evidence['verdict'] or 'not known yet'}, not {PASS}; "
            "`force` with a reason overrides this.",
            verdict=evidence["verdict"],
            headline=evidence["headline"],
        )
    if ramp is not None and evidence["verdict"] == "FAIL":
        raise Refusal(
            409,
            f"A ramp of {body.candidate} would end at once, for its trial has failed: restart it to begin another.",
            verdict=evidence["verdict"],
            headline=evidence["headline"],
        )
    wish = {"candidate": body.candidate, "force": body.force, "ramp": ramp, "evidence": evidence}
    told = await _change(request, "promote", wish)
    return answer(told, headers=etag(told["revision"]))


@routes.post("/api/v1/workers/restart")
async def renew(request: web.Request) -> web.Response:
    """Each worker is succeeded by a new one before it leaves, one after the other; no request is lost."""
    query(request, {})
    await body_of(request, Nothing)
    told = await _change(request, "renew", {})
    return answer(told, headers=etag(told["revision"]))


async def _change(request: web.Request, verb: str, wish: dict[str, Any]) -> dict[str, Any]:
    view = request.app[VIEW]

    async def in_force() -> str:
        return str((await view.status())["revision"])

    revision = await if_match(request, in_force)
    told: dict[str, Any] = await view.asker.ask(verb, CHANGE_S, {**wish, "by": who(request), "revision": revision})
    return told


def _one(view: View, name: str) -> dict[str, Any]:
    """As it is now; a candidate that somebody else has removed meanwhile is not there."""
    return described(view.snapshot, view.candidate(name))


def _share(value: Share) -> float:
    try:
        return parse_share(text_of(value))
    except ValueError as e:
        raise Refusal(422, f"sample: {e}.") from None


def _ramp(ramp: Ramp) -> dict[str, Any]:
    """Shares that rise, each held for so long."""
    try:
        steps = [parse_share(text_of(step)) for step in ramp.steps]
        hold_s = parse_duration(ramp.hold)
    except ValueError as e:
        raise Refusal(422, f"ramp: {e}.") from None
    if any(low >= high for low, high in zip([0.0, *steps], steps, strict=False)):
        raise Refusal(422, "ramp.steps: expected shares above 0% that rise.")
    if hold_s <= 0:
        raise Refusal(422, f"ramp.hold: expected how long each share is held, longer than 0s, there was {ramp.hold}.")
    return {"steps": steps, "hold_s": hold_s}
