"""The words that schemas are made of."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

JSON: Final = "application/json"
REF: Final = "#/components/schemas/{name}"

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
ANY: Final[Schema] = {"type": "object"}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def record(**properties: Schema) -> Schema:
    """All of them are always there; others may be."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def page_of(of: Schema, **more: Schema) -> Schema:
    return record(items=list_of(of), next=or_null(TEXT), **more)


def ref(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}
