"""Every path with its operations, in the order in which a reader meets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shadowproxy.core.outcome import OUTCOMES
from shadowproxy.pairlog.newest import CURSOR_PATTERN

from ..evidence import FORMATS
from .operation import (
    KNOWN,
    NAME,
    REVISION,
    UNCHANGED,
    WORD,
    also_answered,
    answered,
    changing,
    probing,
    problems,
    query_parameter,
    reading,
)
from .schema import ANY, JSON, NUMBER, SHARE, TEXT, or_null, page_of, ref

_IN_FORCE: Final = answered("What is in force now.", ref("InForce"), revision=True)
_OUTCOMES: Final = [name for name in OUTCOMES if name]
_REPORTS: Final = {media: {"schema": TEXT if media != JSON else ANY} for media in FORMATS.values()}

PATHS: Final[Mapping[str, Mapping[str, Any]]] = {
    "/livez": {"get": probing("Does this process answer?")},
    "/readyz": {"get": probing("May requests be sent to the proxy?", 503)},
    "/healthz": {"get": probing("The same as /readyz.", 503)},
    "/metrics": {"get": reading("Metrics in Prometheus' text format.", answered("All metrics.", TEXT, "text/plain"))},
    "/openapi.json": {
        "get": {
            "summary": "This document.",
            "security": [],
            "responses": {"200": answered("It.", ANY), **problems(403)},
        }
    },
    "/api/v1/status": {"get": reading("Everything on one page.", answered("It.", ref("Status"), revision=True))},
    "/api/v1/config": {
        "get": also_answered(
            reading(
                "The configuration in force as a file would say it, and what differs from the file.",
                answered("It, with secrets masked.", ref("Config"), revision=True),
                KNOWN,
            ),
            UNCHANGED,
        )
    },
    "/api/v1/candidates": {
        "get": also_answered(
            reading("The candidates.", answered("All.", page_of(ref("Candidate")), revision=True), KNOWN), UNCHANGED
        ),
        "post": changing(
            "Add a candidate.",
            answered("It was added.", ref("Candidate"), revision=True),
            "CandidateSection",
            status=201,
            is_required=True,
        ),
    },
    "/api/v1/candidates/{name}": {
        "get": also_answered(
            reading("One candidate.", answered("It.", ref("Candidate"), revision=True), NAME, KNOWN, also=(404,)),
            UNCHANGED,
        ),
        "patch": changing(
            "Change a candidate's sample, pause it, gate it.",
            answered("As it is now.", ref("Candidate"), revision=True),
            "Edit",
            NAME,
        ),
        "delete": changing(
            "Remove a candidate.",
            {"description": "It gets no copies any more.", "headers": REVISION},
            None,
            NAME,
            status=204,
        ),
    },
    "/api/v1/candidates/{name}/restart": {
        "post": changing(
            "Begin its trial anew.", answered("As it is now.", ref("Candidate"), revision=True), "Nothing", NAME
        )
    },
    "/api/v1/candidates/{name}/verdict": {
        "get": reading("The live verdict of its present trial.", answered("It.", ref("Verdict")), NAME, also=(404,))
    },
    "/api/v1/trials": {
        "get": reading(
            "Every trial in the log, and those under way.",
            answered("The newest first.", page_of(ref("Trial"))),
            query_parameter("candidate", "Only this one's.", WORD),
        )
    },
    "/api/v1/report": {
        "get": {
            **reading(
                "The report of the log, made now.",
                {"description": "In the form asked for.", "content": _REPORTS},
                query_parameter("candidate", "Only this one.", WORD),
                query_parameter("trial", "A trial's id, `newest` or `all`.", WORD),
                query_parameter("format", "json by default.", {"enum": [*FORMATS]}),
                also=(404,),
            )
        }
    },
    "/api/v1/pairs": {
        "get": reading(
            "The log's pairs, newest first. A page may hold fewer than `limit`, or none, and still have a `next`.",
            answered("Summaries.", page_of(ref("Summary"))),
            query_parameter("candidate", "Whose.", WORD),
            query_parameter("trial", "Of this trial.", WORD),
            query_parameter("route", "Of this route.", WORD),
            query_parameter("agrees", "Whether the decisions agree.", {"enum": ["true", "false"]}),
            query_parameter("result", "Of the comparison.", {"enum": ["same", "different", "incomparable"]}),
            query_parameter("outcome", "Of the candidate's exchange.", {"enum": _OUTCOMES}),
            query_parameter("cursor", "The `next` of the page before.", {"type": "string", "pattern": CURSOR_PATTERN}),
            query_parameter("limit", "How many; 50 by default.", {"type": "integer", "minimum": 1, "maximum": 500}),
        )
    },
    "/api/v1/pairs/{id}": {
        "get": reading(
            "Every pair of one request, whole, as they lie in the log.",
            answered("Them.", page_of(ANY)),
            {**NAME, "name": "id", "description": "A request's id, one of its pairs', or the beginning of either."},
            also=(404,),
        )
    },
    "/api/v1/history": {
        "get": reading(
            "Promotions, rollbacks and ramps, the newest first.",
            answered(
                "Them, and what they come to.",
                page_of(
                    ref("Deployment"),
                    deployments_per_month=NUMBER,
                    median_time_to_verdict_s=or_null(NUMBER),
                    share_rolled_back=or_null(SHARE),
                ),
            ),
            query_parameter("limit", "How many; 100 by default.", {"type": "integer", "minimum": 1, "maximum": 1000}),
            query_parameter("cursor", "The `next` of the page before.", {"type": "string", "pattern": "^[0-9]{1,8}$"}),
        )
    },
    "/api/v1/events": {
        "get": reading(
            "What changes, as it changes: server-sent events `status`, `verdicts` and `change`; a comment each 15 s.",
            answered("A stream without an end.", TEXT, "text/event-stream"),
        )
    },
    "/api/v1/pause": {"post": changing("The kill switch: no copies to one candidate, or to any.", _IN_FORCE, "Whom")},
    "/api/v1/resume": {"post": changing("Copies again, to one candidate or to all.", _IN_FORCE, "Whom")},
    "/api/v1/reload": {
        "post": changing("Read the configuration again; `settled`: keys it has taken back.", _IN_FORCE, "Reset")
    },
    "/api/v1/promote": {
        "post": changing(
            "Let a candidate answer in production's place, at once or by a ramp; 409 unless its verdict is PASS.",
            _IN_FORCE,
            "Promote",
            is_required=True,
        )
    },
    "/api/v1/workers/restart": {
        "post": changing("Replace the workers one by one, each before it leaves.", _IN_FORCE, "Nothing")
    },
    "/api/v1/rollback": {
        "post": changing("End the ramp under way, else undo the newest promotion.", _IN_FORCE, "Back")
    },
}
