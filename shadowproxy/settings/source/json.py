"""JSON, with duplicate keys refused.

Lines come from the YAML reader, of which JSON is nearly a subset; text that it cannot read has no lines in messages.
"""

from __future__ import annotations

import json
from typing import Any

from shadowproxy.settings.problem import Problem, SettingsError
from shadowproxy.settings.source.document import Document
from shadowproxy.settings.source.yaml import MAX_DEPTH, read_yaml


def read_json(name: str, text: str) -> Document:
    twice: list[str] = []

    def mapping(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            keys = [key for key, _ in items]
            twice.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return made

    try:
        tree = json.loads(text, object_pairs_hook=mapping)
    except json.JSONDecodeError as e:
        raise SettingsError([Problem(name, e.lineno, "", f"not JSON: {e.msg}, at column {e.colno}")]) from e
    except RecursionError as e:
        raise SettingsError([Problem(name, 0, "", f"expected at most {MAX_DEPTH} levels")]) from e
    try:
        placed = read_yaml(name, text)
    except SettingsError:
        problems = [Problem(name, 0, key, "expected each key once") for key in twice]
        return Document(name, tree, {(): (name, 1)}, problems)
    return Document(name, tree, placed.places, placed.problems)
