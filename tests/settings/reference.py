"""The keys of the file as rows: what docs/configuration.md must say about each, made from the model itself.

`python -m tests.settings.reference` prints the tables, to be pasted into the page after a key was added.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic_core import PydanticUndefined

from shadowproxy.compare.presets import NAMES
from shadowproxy.settings.complaints import section_at
from shadowproxy.settings.model import Settings
from shadowproxy.settings.problem import KeyPath, dotted
from shadowproxy.settings.scalar import native
from shadowproxy.settings.source.yaml import read_yaml

REPOSITORY: Final = Path(__file__).resolve().parents[2]
FULL: Final = REPOSITORY / "config" / "full.yaml"
PAGE: Final = REPOSITORY / "docs" / "configuration.md"

_SWITCHED_OFF: Final = re.compile(r"^(\s*)#(?=\S)", re.MULTILINE)
_KINDS: Final = {
    "Duration": "duration",
    "Wait": "duration",
    "AutoDuration": "duration, auto",
    "DurationOrNever": "duration, never",
    "Size": "size",
    "SizeOrZero": "size",
    "Share": "share",
    "Switch": "true, false",
    "Count": "count",
    "CountOrNone": "count",
    "One": "count",
    "Workers": "count, auto",
    "Number": "number",
    "NotNegative": "number ≥ 0",
    "Address": "HOST:PORT",
    "Target": "HOST:PORT",
    "AddressOrOff": "HOST:PORT, off",
    "OriginUrl": "URL",
    "TwinUrl": "URL, production",
    "WebhookUrl": "URL",
    "Path": "path",
    "ExistingFile": "file",
    "Name": "name",
    "Text": "text",
    "Token": "text",
    "Secret": "text",
    "HeaderValue": "text",
    "Method": "method",
    "HeaderName": "header",
    "RewritableHeader": "header",
    "HostHeader": "preserve, upstream, text",
    "JsonPath": "JSONPath",
    "ItemKey": "name, JSONPath",
    "Preset": ", ".join(NAMES),
    "DefiniteJsonPath": "JSONPath",
    "JsonValue": "value",
    "Ignored": "JSONPath",
    "Unordered": "JSONPath",
    "SampleKey": "source",
    "JoinKey": "source",
    "SliceSource": "source",
    "PathGlob": "pattern",
    "LiteralPath": "path",
    "GateText": "gate",
    "Network": "CIDR",
}


@dataclass(frozen=True, slots=True)
class Row:
    path: KeyPath
    kind: str
    default: str
    example: str
    meaning: str

    def __str__(self) -> str:
        cells = (f"`{dotted(self.path)}`", self.kind, self.default, self.example, self.meaning)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def switched_on(text: str) -> str:
    """The example with the settings that it has switched off."""
    return _SWITCHED_OFF.sub(r"\1", text)


def rows() -> Iterator[Row]:
    """Every key that holds a value, in the order of the file; sections only where they can be absent."""
    examples = _examples()
    for path, section in sections():
        for name, field in section.model_fields.items():
            here = (*path, field.alias or name)
            if section_at(here) is not None:
                continue
            annotation = _annotation(section, name)
            yield Row(here, kind(annotation), _default(field), _shown(examples[dotted(here)]), field.description or "")


def sections() -> Iterator[tuple[KeyPath, Any]]:
    rooms: list[tuple[KeyPath, Any]] = [((), Settings)]
    while rooms:
        path, section = rooms.pop(0)
        yield path, section
        rooms[:0] = [((*path, key), inner) for key in section.keys() if (inner := section_at((*path, key)))]  # noqa: SIM118


def kind(annotation: str) -> str:
    """`tuple[f.Method, ...]` → `list of method`."""
    bare = annotation.removesuffix(" | None")
    if bare.startswith("tuple["):
        return "list of " + kind(bare.removeprefix("tuple[").removesuffix(", ...]"))
    if bare.startswith("dict["):
        left, _, right = bare.removeprefix("dict[").removesuffix("]").partition(", ")
        return f"{kind(left)} → {kind(right)}"
    if bare.startswith("Literal["):
        return ", ".join(re.findall(r"[\"']([^\"']*)[\"']", bare))
    return "text" if bare == "str" else _KINDS[bare.removeprefix("f.")]


def _annotation(section: Any, name: str) -> str:
    return next(str(c.__annotations__[name]) for c in section.__mro__ if name in inspect.get_annotations(c))


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required"
    return (
        "–"
        if field.default is None
        else _shown(list(field.default) if isinstance(field.default, tuple) else field.default)
    )


def _shown(value: Any) -> str:
    if value == "":
        return "empty"
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return f"`{value}`"
    flow = (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("\n...\n").strip()
    )
    return f"`{flow}`"


def _examples() -> dict[str, Any]:
    """The first value that the example file gives to each key."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: KeyPath) -> None:
        if path and path[-1] is not None:
            found.setdefault(dotted(path), _plain(value))
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, (*path, str(key)))
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    walk(item, path)

    walk(read_yaml(str(FULL), switched_on(FULL.read_text())).tree, ())
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    number = native(value, quoted_too=False)
    return number if isinstance(number, int) else str(value)


if __name__ == "__main__":
    at: Any = object()
    for row in rows():
        if row.path[:1] != at and len(row.path) > 1:
            at = row.path[:1]
            print(f"\n## {at[0]}\n\n| key | kind | default | example | meaning |\n|---|---|---|---|---|")
        print(row)
