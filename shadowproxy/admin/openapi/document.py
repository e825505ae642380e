"""The document whole, and where it is served."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec
from aiohttp import web

import shadowproxy
from shadowproxy.settings.model.upstream import Candidate

from .. import steering
from ..exchange import answer
from .answers import SCHEMAS
from .paths import PATHS
from .schema import REF, Schema

routes = web.RouteTableDef()

_BODIES: Final = {
    "Edit": steering.Edit,
    "Whom": steering.Whom,
    "Back": steering.Back,
    "Reset": steering.Reset,
    "Nothing": steering.Nothing,
    "Promote": steering.Promote,
}


@cache
def document() -> Schema:
    """OpenAPI 3.1."""
    _, bodies = msgspec.json.schema_components(list(_BODIES.values()), ref_template=REF)
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
            if found.get("$ref") == REF.format(name=name):
                found["$ref"] = REF.format(name=other)
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
