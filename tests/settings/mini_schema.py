"""As much of JSON Schema as the configuration's schema uses; an unknown keyword is an error, nothing goes unchecked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

_SILENT: Final = {"title", "description", "default", "examples", "$schema", "$defs"}
_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}


def violations(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    for keyword, wanted in schema.items():
        if keyword not in _SILENT:
            yield from _KEYWORDS[keyword](value, wanted, schema, root, path)


def _ref(value: Any, wanted: str, schema: Any, root: Any, path: str) -> Iterator[str]:
    yield from violations(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, path)


def _any_of(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if all(any(True for _ in violations(value, option, root, path)) for option in wanted):
        yield f"{path}: {value!r} is none of what is allowed"


def _properties(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for key in value if isinstance(value, dict) else ():
        if key in wanted:
            yield from violations(value[key], wanted[key], root, f"{path}.{key}")


def _additional(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for key in set(value) - set(schema.get("properties", {})) if isinstance(value, dict) else ():
        if wanted is False:
            yield f"{path}.{key}: unknown"
        elif isinstance(wanted, dict):
            yield from violations(value[key], wanted, root, f"{path}.{key}")


def _patterns(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for key in value if isinstance(value, dict) else ():
        if not any(re.search(pattern, key) for pattern in wanted):
            yield f"{path}.{key}: unknown"
        for pattern, inner in wanted.items():
            if re.search(pattern, key):
                yield from violations(value[key], inner, root, f"{path}.{key}")


def _names(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for key in value if isinstance(value, dict) else ():
        yield from violations(key, wanted, root, f"{path}.{key}")


def _items(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for index, item in enumerate(value) if isinstance(value, list) else ():
        yield from violations(item, wanted, root, f"{path}[{index}]")


def _that(holds: Callable[[Any, Any], bool]) -> Callable[..., Iterator[str]]:
    def check(value: Any, wanted: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
        if not holds(value, wanted):
            yield f"{path}: {value!r} against {wanted!r}"

    return check


def _is_number(value: Any) -> bool:
    return _TYPES["number"](value)


_KEYWORDS: Final[dict[str, Callable[..., Iterator[str]]]] = {
    "$ref": _ref,
    "anyOf": _any_of,
    "properties": _properties,
    "additionalProperties": _additional,
    "patternProperties": _patterns,
    "propertyNames": _names,
    "items": _items,
    "type": _that(lambda value, wanted: _TYPES[wanted](value)),
    "enum": _that(lambda value, wanted: value in wanted),
    "const": _that(lambda value, wanted: value == wanted and type(value) is type(wanted)),
    "required": _that(lambda value, wanted: not isinstance(value, dict) or set(wanted) <= set(value)),
    "pattern": _that(lambda value, wanted: not isinstance(value, str) or re.search(wanted, value) is not None),
    "minimum": _that(lambda value, wanted: not _is_number(value) or value >= wanted),
    "maximum": _that(lambda value, wanted: not _is_number(value) or value <= wanted),
    "exclusiveMaximum": _that(lambda value, wanted: not _is_number(value) or value < wanted),
    "minItems": _that(lambda value, wanted: not isinstance(value, list) or len(value) >= wanted),
}
