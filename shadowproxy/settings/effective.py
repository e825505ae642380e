"""The effective configuration, printed: defaults filled in, secrets masked. Unmasked, it loads again as the same."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from shadowproxy.settings.model import Settings
from shadowproxy.settings.problem import KeyPath

MASK: Final = "***"
_SECRET_NAME: Final = re.compile(r"auth|token|secret|password|passwd|credential|cookie|session|api.?key|_key", re.I)


def effective(settings: Settings, *, masked: bool = True, from_environment: Collection[KeyPath] = ()) -> dict[str, Any]:
    """As the file would say it. Masked are tokens, keys, the headers that copies get, what follows a webhook's host,
    and of the values set in bodies those that came from the environment or whose key sounds like a secret."""
    tree: dict[str, Any] = settings.model_dump(mode="json", exclude_none=True)
    return _masked(tree, (), from_environment) if masked else tree


def as_yaml(tree: dict[str, Any]) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(tree, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))


def _masked(value: Any, path: KeyPath, from_environment: Collection[KeyPath]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, (*path, key), from_environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, (*path, index), from_environment) for index, item in enumerate(value)]
    steps = tuple(step for step in path if isinstance(step, str))
    if steps in _SECRETS or steps[-3:-1] == ("headers", "set") or steps[:2] == ("otel", "headers"):
        return MASK if value else value
    if steps == ("notify", "url"):
        return f"{urlsplit(value).scheme}://{urlsplit(value).hostname}/{MASK}"
    if "json" in steps and "set" in steps and (path in from_environment or _SECRET_NAME.search(steps[-1])):
        return MASK
    return value


_SECRETS: Final = (("admin", "token"), ("pairs", "redact", "key"))
