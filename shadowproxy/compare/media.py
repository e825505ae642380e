"""What a Content-Type says: how a body is to be read, and what of the field is worth comparing."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Media(NamedTuple):
    essence: str  # "application/json", lower case, without parameters; "" when the field is absent
    normal: str  # comparable: lower case, no optional whitespace, parameters sorted, those without meaning dropped
    is_json: bool
    is_text: bool


_JSON = frozenset({"application/json", "text/json"})
_TEXT = frozenset(
    {
        "application/xml",
        "application/yaml",
        "application/x-ndjson",
        "application/jsonl",
        "application/javascript",
        "application/x-www-form-urlencoded",
    }
)


@lru_cache(maxsize=256)  # traffic has few distinct values, and a hostile one only costs its own parsing
def media_of(content_type: str | None) -> Media:
    """RFC 9110 §8.3.1. JSON has no charset parameter (RFC 8259 §11) and a multipart boundary is made up for each
    message, so neither is compared."""
    if not content_type:
        return Media("", "", is_json=False, is_text=False)
    first, *rest = content_type.split(";")
    essence = first.strip().lower()
    is_json = essence in _JSON or essence.endswith("+json")
    dropped = {"boundary", "charset"} if is_json else {"boundary"}
    parameters = []
    for parameter in rest:
        name, _, value = parameter.partition("=")
        if (name := name.strip().lower()) and name not in dropped:
            value = value.strip().strip('"').lower()
            parameters.append(f"{name}={value}")
    is_text = essence.startswith("text/") or essence in _TEXT or essence.endswith("+xml")
    return Media(essence, ";".join([essence, *sorted(parameters)]), is_json=is_json, is_text=is_text and not is_json)
