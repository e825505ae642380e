"""One notice, and the forms in which webhooks take it.

The JSON form is the record's own; Slack's is `{"text": …}` in its mrkdwn, in which `&`, `<` and `>` are escaped and
nothing else is markup that a name could bring along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

VERDICT, BREAKER, COVERAGE, PROMOTED, ROLLED_BACK, STOPPED = (
    "verdict",
    "breaker",
    "coverage",
    "promoted",
    "rolled_back",
    "stopped",
)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` are the event's own; `id` tells a receiver that it has had this one before."""

    v: int = 1
    id: str
    at: str  # RFC 3339, UTC
    event: str
    candidate: str
    production: str
    title: str  # a few words: v2 instead of v1: FAIL
    headline: str  # one sentence
    link: str
    facts: dict[str, Any] = {}


def as_json(notice: Notice) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(notice)
    return body


def as_slack(notice: Notice) -> dict[str, Any]:
    lines = [f"*{_escaped(notice.title)}*", _escaped(notice.headline), f"<{_escaped(notice.link)}|Open the dashboard>"]
    return {"text": "\n".join(line for line in lines if line)}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FORMS: Final[Mapping[str, Callable[[Notice], dict[str, Any]]]] = {"json": as_json, "slack": as_slack}
