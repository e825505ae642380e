"""pydantic's errors as sentences of ours: what was expected, and the nearest key or word that exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType, UnionType
from typing import Any, Final, get_args, get_origin

from pydantic import ValidationError

from shadowproxy.settings.model import Settings
from shadowproxy.settings.model.section import Section
from shadowproxy.settings.problem import KeyPath, dotted, suggestion
from shadowproxy.settings.scalar import shown

_QUOTED: Final = re.compile(r"'([^']*)'")


def complaints(error: ValidationError) -> list[tuple[KeyPath, str]]:
    """Key path and sentence of each error."""
    found = []
    for details in error.errors(include_url=False):
        path: KeyPath = tuple(step for step in details["loc"] if step != "[key]")
        say = _SENTENCES.get(details["type"])
        found.append((path, say(path, details) if say else str(details["msg"])))
    return found


def _unknown_key(path: KeyPath, details: Any) -> str:
    section = section_at(path[:-1])
    known = section.keys() if section else ()
    wrong = str(path[-1])
    near = suggestion(wrong, known)
    if not near and (homes := [dotted(p) for p in _all_keys() if p[-1] == wrong]):
        near = f"; did you mean {' or '.join(homes[:3])}?"
    return "unknown key" + (near or f"; expected one of {', '.join(known)}")


def _missing(path: KeyPath, details: Any) -> str:
    if path == ("production",):
        return "expected production.url, the model whose answers clients get (or --production URL)"
    section = section_at(path[:-1])
    fields = {field.alias or name: field for name, field in section.model_fields.items()} if section else {}
    meaning = (fields[str(path[-1])].description or "").rstrip(".") if path[-1] in fields else ""
    return f"expected a value, this key is required ({meaning})"


def _not_a_choice(path: KeyPath, details: Any) -> str:
    expected = details["ctx"]["expected"]
    value = details["input"]
    near = suggestion(value, _QUOTED.findall(expected)) if isinstance(value, str) else ""
    return f"expected {expected.replace(chr(39), '')}, there was {shown(value)}{near}"


def _expected(what: str) -> Callable[[KeyPath, Any], str]:
    return lambda path, details: f"expected {what}, there was {shown(details['input'])}"


_SENTENCES: Final[Mapping[str, Callable[[KeyPath, Any], str]]] = MappingProxyType(
    {
        "extra_forbidden": _unknown_key,
        "missing": _missing,
        "literal_error": _not_a_choice,
        "model_type": _expected("a mapping"),
        "dict_type": _expected("a mapping"),
        "tuple_type": _expected("a list"),
        "too_short": lambda path, details: "expected at least one item, the list is empty",
        "string_type": _expected("text"),
    }
)


def section_at(path: KeyPath) -> type[Section] | None:
    """The class of the section under this path; None for a leaf, a free mapping or a path that there is not."""
    here: type[Section] | None = Settings
    for step in path:
        if isinstance(step, int):
            continue
        if here is None:
            return None
        annotation = next((f.annotation for n, f in here.model_fields.items() if (f.alias or n) == step), None)
        here = _section_in(annotation)
    return here


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in (tuple, UnionType):
        return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
    return None


def _all_keys() -> list[KeyPath]:
    """Every key path of the file, without indices: `("candidates", "breaker", "window")`."""
    found: list[KeyPath] = []
    rooms: list[tuple[KeyPath, type[Section]]] = [((), Settings)]
    while rooms:
        path, section = rooms.pop(0)
        for key in section.keys():  # noqa: SIM118 (a class method, not a mapping's)
            here = (*path, key)
            found.append(here)
            if inner := section_at(here):
                rooms.append((here, inner))
    return found


def key_paths() -> list[str]:
    """All keys of the file, dotted: `candidates.breaker.window`."""
    return [dotted(path) for path in _all_keys()]
