"""Names as StatsD and Graphite take them: no part can break out of its place."""

from __future__ import annotations

import re
from typing import Final

from shadowproxy.admin.series import Labels

_NODE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_TAG: Final = re.compile(r"[\x00-\x20;~!^=|,#:\x7f]+")
NONE: Final = "none"  # what an empty value is called: neither takes an empty part


def clean(text: str) -> str:
    """One node of a path."""
    return _NODE.sub("_", text) or NONE


def tag_text(text: str) -> str:
    return _TAG.sub("_", text) or NONE


def joined(name: str, labels: Labels) -> str:
    """The labels' values behind the name: requests_total.predict.200"""
    return ".".join([name, *(clean(value) for _, value in labels)])
