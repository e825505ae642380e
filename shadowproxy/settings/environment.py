"""`${VAR}`, `${VAR:-default}` and `${VAR:?message}` in values, as the shell means them; `$${` is a literal `${`.

Values are filled in after the file was read, so that what a variable holds can never be taken for syntax. An empty
variable counts as unset for `:-` and `:?`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shadowproxy.settings.problem import KeyPath
from shadowproxy.settings.source.document import Document, Plain

_REFERENCE: Final = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[-?])(?P<word>[^}$]*))?\}|(?P<broken>\$\{[^}]*\}?)"
)


# Secrets that the environment gives where the file is silent: without a file there is no other place for them.
SECRETS: Final[Mapping[KeyPath, str]] = MappingProxyType(
    {("admin", "token"): "SHADOWPROXY_ADMIN_TOKEN", ("pairs", "redact", "key"): "SHADOWPROXY_REDACT_KEY"}
)


class _Unset(Exception):
    pass


def lay_under(document: Document, environment: Mapping[str, str]) -> set[KeyPath]:
    """Put `SECRETS` into the tree where it does not say them itself; `token: ""` says that there is none.

    Returns the paths that were put in. What the file has in the wrong shape stays, for the model to refuse.
    """
    put: set[KeyPath] = set()
    if document.tree is None:
        document.tree = {}
    for path, name in SECRETS.items():
        value = environment.get(name)
        if value and _put(document.tree, path, value):
            document.places[path] = (name, 0)
            put.add(path)
    return put


def _put(tree: Any, path: KeyPath, value: str) -> bool:
    here = tree
    for step in path[:-1]:
        if not isinstance(here, dict):
            return False
        if _is_silent(here.get(step)):
            here[step] = {}
        here = here[step]
    if not isinstance(here, dict) or not _is_silent(here.get(path[-1])):
        return False
    here[path[-1]] = value
    return True


def _is_silent(value: Any) -> bool:
    """A key that is not there, or has nothing behind it; quotes with nothing between them are said."""
    return value is None or (isinstance(value, Plain) and value == "")


def fill_in(document: Document, environment: Mapping[str, str]) -> set[KeyPath]:
    """Replace references in the tree's values; faults join `document.problems`. Returns the paths that held any."""
    filled: set[KeyPath] = set()

    def walk(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: walk(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        filled.add(path)
        try:
            text = expand(value, environment)
        except _Unset as e:
            document.problems.append(document.problem(path, str(e)))
            return value
        return Plain(text) if isinstance(value, Plain) else text

    document.tree = walk(document.tree, ())
    return filled


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`text` with its references replaced; raises with a sentence where one cannot be."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match["broken"]:
            raise _Unset(f"expected ${{VAR}}, ${{VAR:-default}} or ${{VAR:?message}}, there was {match['broken']}")
        name, kind, word = match["name"], match["kind"], match["word"]
        value = environment.get(name)
        if kind == "-":
            return value or word
        if kind == "?":
            if not value:
                raise _Unset(f"expected the environment variable {name}: {word or 'it is unset or empty'}")
            return value
        if value is None:
            raise _Unset(
                f"expected the environment variable {name}, it is not set; ${{{name}:-}} would allow it to be empty"
            )
        return value

    return _REFERENCE.sub(replace, text)
