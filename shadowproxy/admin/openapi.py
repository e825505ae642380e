"""`/openapi.json`: the admin API for machines, OpenAPI 3.1. tests/admin/test_openapi.py holds it against the truth.

What bodies may be comes from the very records that read them; what is answered is described here. A path that the
application has and this table lacks fails a test, and so does the reverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec
from aiohttp import web

import shadowproxy
from shadowproxy.core.outcome import OUTCOMES
from shadowproxy.pairlog.newest import CURSOR_PATTERN
from shadowproxy.settings.model.upstream import Candidate

from . import steering
from .evidence import FORMATS
from .exchange import REVISION_PATTERN, answer

routes = web.RouteTableDef()

Schema = dict[str, Any]

_BODIES: Final = {
    "Edit": steering.Edit,
    "Whom": steering.Whom,
    "Back": steering.Back,
    "Reset": steering.Reset,
    "Nothing": steering.Nothing,
    "Promote": steering.Promote,
}
_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{name}"

_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number"}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_ANY: Final[Schema] = {"type": "object"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _record(**properties: Schema) -> Schema:
    """All of them are always there; others may be."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _page(of: Schema, **more: Schema) -> Schema:
    return _record(items=_list(of), next=_or_null(_TEXT), **more)


def _ref(name: str) -> Schema:
    return {"$ref": _REF.format(name=name)}


_SIDE: Final = _record(
    upstream=_or_null(_TEXT),
    version=_or_null(_TEXT),
    outcome=_or_null(_TEXT),
    dropped=_or_null(_TEXT),
    error=_or_null(_TEXT),
    bad=_or_null(_FLAG),
    status=_or_null(_COUNT),
    latency_ms=_or_null(_NUMBER),
)
_CHILD: Final = _record(slot=_COUNT, state=_TEXT, restarts=_COUNT, last_exit=_or_null(_TEXT), pid=_or_null(_COUNT))

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Problem": {
        **_record(type=_TEXT, title=_TEXT, status=_COUNT, detail=_TEXT),
        "description": "RFC 9457. Members of its own: reasons, problems, verdict, headline.",
    },
    "Candidate": _record(
        name=_TEXT,
        url=_TEXT,
        version=_TEXT,
        trial=_TEXT,
        expect={"enum": ["same", "similar", "different"]},
        gated=_FLAG,
        gates=_or_null(_list(_TEXT)),
        sample=_SHARE,
        sample_key=_TEXT,
        paused=_FLAG,
        answers={**_SHARE, "description": "The share of users that it answers, in a ramp."},
    ),
    "InForce": _record(generation=_COUNT, revision=_TEXT),
    "Drift": {
        **_record(key=_TEXT, file={}, running={}, by=_TEXT, at=_TEXT),
        "description": "A key that operators changed since: what the file says, and what is in force.",
    },
    "Ramp": _record(
        candidate=_TEXT,
        steps=_list(_SHARE),
        step=_COUNT,
        share=_SHARE,
        hold_s=_NUMBER,
        since=_TIME,
        began=_TIME,
        forced=_or_null(_TEXT),
        by=_TEXT,
    ),
    "Change": _record(
        seq=_COUNT,
        at=_TIME,
        by=_TEXT,
        what=_TEXT,
        candidate=_or_null(_TEXT),
        changed=_list(_record(key=_TEXT, before={}, after={})),
    ),
    "Figures": _record(
        name=_TEXT,
        url=_TEXT,
        version=_TEXT,
        trial=_TEXT,
        expect=_TEXT,
        gated=_FLAG,
        sample=_SHARE,
        paused=_FLAG,
        in_flight=_COUNT,
        coverage=_or_null(_SHARE),
        agreement=_or_null(_SHARE),
        verdict=_or_null(_TEXT),
        headline=_or_null(_TEXT),
        ledger=_ANY,
    ),
    "Status": _record(
        version=_TEXT,
        started=_TIME,
        uptime_s=_NUMBER,
        generation=_COUNT,
        revision=_TEXT,
        ready=_FLAG,
        reasons=_list(_TEXT),
        draining=_FLAG,
        drift=_list(_ref("Drift")),
        promoted=_list(_record(name=_TEXT, was=_TEXT, at=_TEXT)),
        ramp=_or_null(_ref("Ramp")),
        audit=_list(_ref("Change")),
        listen=_TEXT,
        admin=_or_null(_TEXT),
        limits=_ANY,
        requests=_COUNT,
        production=_record(name=_TEXT, version=_TEXT, urls=_list(_TEXT)),
        candidates=_list(_ref("Figures")),
        twin=_or_null(_ref("Figures")),
        workers=_list(_CHILD),
        recorder=_or_null(_CHILD),
        log=_record(dir=_TEXT, bytes=_or_null(_NUMBER), unlogged=_ANY),
        ledger=_list(_record(worker=_COUNT, boot=_COUNT, rows=_list(_ANY))),
    ),
    "Config": _record(
        generation=_COUNT, revision=_TEXT, config=_ANY, drift=_list(_ref("Drift")), ramp=_or_null(_ref("Ramp"))
    ),
    "Trial": _record(
        trial=_TEXT,
        candidate=_TEXT,
        origin=_or_null(_TEXT),
        production=_or_null(_TEXT),
        production_versions=_or_null(_list(_or_null(_TEXT))),
        shadow_versions=_or_null(_list(_or_null(_TEXT))),
        first_ts=_or_null(_TIME),
        last_ts=_or_null(_TIME),
        pairs=_COUNT,
        warmup_pairs=_COUNT,
        present=_FLAG,
        verdict=_or_null(_TEXT),
        headline=_or_null(_TEXT),
    ),
    "Verdict": {
        **_record(trial=_TEXT, verdict=_or_null({"enum": ["PASS", "FAIL", "INCONCLUSIVE"]}), headline=_TEXT),
        "description": "The report's record of the candidate, as `shadowproxy report --format json` gives it.",
    },
    "Summary": _record(
        pair_id=_TEXT,
        id=_TEXT,
        key=_or_null(_TEXT),
        ts=_TEXT,
        trial=_TEXT,
        origin=_TEXT,
        route=_or_null(_TEXT),
        protocol=_or_null(_TEXT),
        candidate=_TEXT,
        answered_by=_TEXT,
        warmup=_or_null(_FLAG),
        method=_or_null(_TEXT),
        target=_or_null(_TEXT),
        result=_or_null(_TEXT),
        reason=_or_null(_TEXT),
        agrees=_or_null(_FLAG),
        differences_total=_or_null(_COUNT),
        differing_paths=_list(_TEXT),
        production_prediction=_or_null(_TEXT),
        shadow_prediction=_or_null(_TEXT),
        latency_ms_difference=_or_null(_NUMBER),
        production=_SIDE,
        shadow=_SIDE,
        twin=_or_null(_SIDE),
    ),
    "Deployment": {
        **_record(
            at=_TIME,
            action={"enum": ["promoted", "rolled_back", "ramp_began", "ramp_raised", "ramp_ended"]},
            to=_or_null(_TEXT),
            trial=_or_null(_TEXT),
            verdict=_or_null(_TEXT),
            pairs=_or_null(_COUNT),
            to_verdict_s=_or_null(_NUMBER),
            to_promotion_s=_or_null(_NUMBER),
            by=_TEXT,
            forced=_or_null(_TEXT),
            reason=_or_null(_TEXT),
            share=_or_null(_SHARE),
        ),
        "description": "`from` names who answered before; a promotion also has `rolled_back`: when, or null.",
    },
}

_PROBLEMS: Final = {
    400: "A query parameter is unknown, repeated or faulty, or the body is no JSON.",
    401: "The token is missing or wrong.",
    403: "The Host header names no address of ours, or the Origin header another site.",
    404: "There is no such candidate, pair or trial.",
    409: "It does not fit what is in force, or a process could not follow; nothing has changed.",
    412: "`If-Match` names a revision that is no longer in force; nothing has changed.",
    413: "The body is too long.",
    415: "The body is no application/json.",
    422: "The body is JSON, and not what is expected.",
    503: "The supervisor, or the process that reads the log, does not answer in time.",
}
_READING: Final = (400, 401, 403, 503)
_CHANGING: Final = (400, 401, 403, 409, 412, 413, 415, 422, 503)


def _problems(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {str(status): {"description": _PROBLEMS[status], "content": content} for status in sorted(set(statuses))}


_REVISION: Final = {"ETag": {"description": "The revision in force.", "schema": _TEXT}}


def _said(description: str, schema: Schema, media: str = _JSON, *, revision: bool = False) -> dict[str, Any]:
    return {
        "description": description,
        "content": {media: {"schema": schema}},
        **({"headers": _REVISION} if revision else {}),
    }


def _query(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_WORD: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x7e]+$"}
_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "A candidate's name.",
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*$"},
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "A revision: the change is made only if that is still in force.",
    "schema": {"type": "string", "pattern": REVISION_PATTERN},
}
_ACTOR: Final = {
    "name": "X-Shadowproxy-Actor",
    "in": "header",
    "required": False,
    "description": "Who makes the change, for the audit.",
    "schema": _TEXT,
}
_KNOWN: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "A revision that the client holds.",
    "schema": _TEXT,
}


def _get(summary: str, said: dict[str, Any], *parameters: dict[str, Any], also: tuple[int, ...] = ()) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": said, **_problems(*_READING, *also)},
    }


def _change(
    summary: str,
    said: dict[str, Any],
    body: str | None,
    *parameters: dict[str, Any],
    status: int = 200,
    is_required: bool = False,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [*parameters, _IF_MATCH, _ACTOR],
        "responses": {str(status): said, **_problems(*_CHANGING, 404)},
    }
    if body is not None:
        operation["requestBody"] = {"required": is_required, "content": {_JSON: {"schema": _ref(body)}}}
    return operation


_UNCHANGED: Final = {"304": {"description": "The client holds this revision already.", "headers": _REVISION}}


def _with(operation: dict[str, Any], responses: dict[str, Any]) -> dict[str, Any]:
    return {**operation, "responses": {**operation["responses"], **responses}}


def _probe(summary: str, *statuses: int) -> dict[str, Any]:
    said = {"200": _said("It does.", _TEXT, "text/plain"), **_problems(403, *statuses)}
    return {"summary": summary, "security": [], "responses": said}


_IN_FORCE: Final = _said("What is in force now.", _ref("InForce"), revision=True)
_OUTCOMES: Final = [name for name in OUTCOMES if name]
_REPORTS: Final = {media: {"schema": _TEXT if media != _JSON else _ANY} for media in FORMATS.values()}

PATHS: Final[Mapping[str, Mapping[str, Any]]] = {
    "/livez": {"get": _probe("Does this process answer?")},
    "/readyz": {"get": _probe("May requests be sent to the proxy?", 503)},
    "/healthz": {"get": _probe("The same as /readyz.", 503)},
    "/metrics": {"get": _get("Metrics in Prometheus' text format.", _said("All metrics.", _TEXT, "text/plain"))},
    "/openapi.json": {
        "get": {"summary": "This document.", "security": [], "responses": {"200": _said("It.", _ANY), **_problems(403)}}
    },
    "/api/v1/status": {"get": _get("Everything on one page.", _said("It.", _ref("Status"), revision=True))},
    "/api/v1/config": {
        "get": _with(
            _get(
                "The configuration in force as a file would say it, and what differs from the file.",
                _said("It, with secrets masked.", _ref("Config"), revision=True),
                _KNOWN,
            ),
            _UNCHANGED,
        )
    },
    "/api/v1/candidates": {
        "get": _with(
            _get("The candidates.", _said("All.", _page(_ref("Candidate")), revision=True), _KNOWN), _UNCHANGED
        ),
        "post": _change(
            "Add a candidate.",
            _said("It was added.", _ref("Candidate"), revision=True),
            "CandidateSection",
            status=201,
            is_required=True,
        ),
    },
    "/api/v1/candidates/{name}": {
        "patch": _change(
            "Change a candidate's sample, pause it, gate it.",
            _said("As it is now.", _ref("Candidate"), revision=True),
            "Edit",
            _NAME,
        ),
        "delete": _change(
            "Remove a candidate.",
            {"description": "It gets no copies any more.", "headers": _REVISION},
            None,
            _NAME,
            status=204,
        ),
    },
    "/api/v1/candidates/{name}/restart": {
        "post": _change(
            "Begin its trial anew.", _said("As it is now.", _ref("Candidate"), revision=True), "Nothing", _NAME
        )
    },
    "/api/v1/candidates/{name}/verdict": {
        "get": _get("The live verdict of its present trial.", _said("It.", _ref("Verdict")), _NAME, also=(404,))
    },
    "/api/v1/trials": {
        "get": _get(
            "Every trial in the log, and those under way.",
            _said("The newest first.", _page(_ref("Trial"))),
            _query("candidate", "Only this one's.", _WORD),
        )
    },
    "/api/v1/report": {
        "get": {
            **_get(
                "The report of the log, made now.",
                {"description": "In the form asked for.", "content": _REPORTS},
                _query("candidate", "Only this one.", _WORD),
                _query("trial", "A trial's id, `newest` or `all`.", _WORD),
                _query("format", "json by default.", {"enum": [*FORMATS]}),
                also=(404,),
            )
        }
    },
    "/api/v1/pairs": {
        "get": _get(
            "The log's pairs, newest first. A page may hold fewer than `limit`, or none, and still have a `next`.",
            _said("Summaries.", _page(_ref("Summary"))),
            _query("candidate", "Whose.", _WORD),
            _query("trial", "Of this trial.", _WORD),
            _query("route", "Of this route.", _WORD),
            _query("agrees", "Whether the decisions agree.", {"enum": ["true", "false"]}),
            _query("result", "Of the comparison.", {"enum": ["same", "different", "incomparable"]}),
            _query("outcome", "Of the candidate's exchange.", {"enum": _OUTCOMES}),
            _query("cursor", "The `next` of the page before.", {"type": "string", "pattern": CURSOR_PATTERN}),
            _query("limit", "How many; 50 by default.", {"type": "integer", "minimum": 1, "maximum": 500}),
        )
    },
    "/api/v1/pairs/{id}": {
        "get": _get(
            "Every pair of one request, whole, as they lie in the log.",
            _said("Them.", _page(_ANY)),
            {**_NAME, "name": "id", "description": "A request's id, one of its pairs', or the beginning of either."},
            also=(404,),
        )
    },
    "/api/v1/history": {
        "get": _get(
            "Promotions, rollbacks and ramps, the newest first.",
            _said(
                "Them, and what they come to.",
                _page(
                    _ref("Deployment"),
                    deployments_per_month=_NUMBER,
                    median_time_to_verdict_s=_or_null(_NUMBER),
                    share_rolled_back=_or_null(_SHARE),
                ),
            ),
            _query("limit", "How many; 100 by default.", {"type": "integer", "minimum": 1, "maximum": 1000}),
            _query("cursor", "The `next` of the page before.", {"type": "string", "pattern": "^[0-9]{1,8}$"}),
        )
    },
    "/api/v1/events": {
        "get": _get(
            "What changes, as it changes: server-sent events `status`, `verdicts` and `change`; a comment each 15 s.",
            _said("A stream without an end.", _TEXT, "text/event-stream"),
        )
    },
    "/api/v1/pause": {"post": _change("The kill switch: no copies to one candidate, or to any.", _IN_FORCE, "Whom")},
    "/api/v1/resume": {"post": _change("Copies again, to one candidate or to all.", _IN_FORCE, "Whom")},
    "/api/v1/reload": {
        "post": _change("Read the configuration again; `settled`: keys it has taken back.", _IN_FORCE, "Reset")
    },
    "/api/v1/promote": {
        "post": _change(
            "Let a candidate answer in production's place, at once or by a ramp; 409 unless its verdict is PASS.",
            _IN_FORCE,
            "Promote",
            is_required=True,
        )
    },
    "/api/v1/workers/restart": {
        "post": _change("Replace the workers one by one, each before it leaves.", _IN_FORCE, "Nothing")
    },
    "/api/v1/rollback": {"post": _change("End the ramp under way, else undo the newest promotion.", _IN_FORCE, "Back")},
}


@cache
def document() -> Schema:
    """OpenAPI 3.1."""
    _, bodies = msgspec.json.schema_components(list(_BODIES.values()), ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "shadowproxy's admin API",
            "version": shadowproxy.__version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {}],
        "paths": PATHS,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**SCHEMAS, **_renamed(bodies), **_candidate_section()},
        },
    }


def _renamed(bodies: dict[str, Schema]) -> dict[str, Schema]:
    """A body's part that is named as an answer is (`Ramp`) gets a name of its own."""
    clashes = {name: f"{name}Wish" for name in bodies if name in SCHEMAS}

    def walked(node: Any) -> Any:
        if isinstance(node, list):
            return [walked(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = {key: walked(value) for key, value in node.items()}
        for name, other in clashes.items():
            if found.get("$ref") == _REF.format(name=name):
                found["$ref"] = _REF.format(name=other)
        return found

    return {clashes.get(name, name): walked(schema) for name, schema in bodies.items()}


def _candidate_section() -> dict[str, Schema]:
    """A candidate as a file's section says it, with the sections within it."""
    made = Candidate.model_json_schema(by_alias=True, mode="validation", ref_template="#/components/schemas/{model}")
    inner: dict[str, Schema] = made.pop("$defs", {})
    return {"CandidateSection": made, **inner}


@routes.get("/openapi.json")
async def get(request: web.Request) -> web.Response:
    return answer(document())
