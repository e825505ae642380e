"""The file format as JSON Schema: values as people write them, `${VAR}` allowed wherever a value may stand."""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.settings.model import Settings

_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
_BARE_TYPES: Final = frozenset({"integer", "number", "boolean"})


def json_schema() -> dict[str, Any]:
    """Draft 2020-12, as pydantic makes it, opened for variables."""
    made = Settings.model_json_schema(by_alias=True, mode="validation")
    schema: dict[str, Any] = _opened(made)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "shadowproxy configuration"}


def _opened(node: Any) -> Any:
    """Leaves that not every text satisfies get `${VAR}` as an alternative; the rest is walked."""
    if isinstance(node, list):
        return [_opened(item) for item in node]
    if not isinstance(node, dict):
        return node
    if _is_leaf(node):
        shown = {key: node[key] for key in ("title", "description", "default", "examples") if key in node}
        accepted = {key: value for key, value in node.items() if key not in shown}
        return shown | {"anyOf": [*accepted.get("anyOf", [accepted]), _VARIABLE]}
    return {key: value if key in ("default", "examples") else _opened(value) for key, value in node.items()}


def _is_leaf(node: dict[str, Any]) -> bool:
    """A description of one scalar; a mapping of properties that happens to have a key `enum` is none."""
    if "anyOf" in node:
        return all(isinstance(option, dict) and _is_leaf(option) for option in node["anyOf"])
    if isinstance(node.get("enum"), list) or ("const" in node and not isinstance(node["const"], dict)):
        return True
    return node.get("type") in _BARE_TYPES or (node.get("type") == "string" and "pattern" in node)
