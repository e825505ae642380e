"""The trial's id: which two models, in which form, the evidence is about.

Law: the id is a function of who is compared and of what each is sent, and of nothing else. Changing `sample`, pausing,
or a restart of the proxy leave it as it is; another version, url or rewriting on either side gives a new one.

Credentials are who asks, not what is asked: that they are forwarded, or given anew, and by which fields, is part of the
id; their values are not. A token that is renewed each hour does not begin the evidence anew, and nothing of a secret,
not even a digest that could be guessed at, shows through.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


class Identified(Protocol):
    """What `trial_id` needs to know of a candidate."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def headers_set(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def headers_remove(self) -> tuple[str, ...]: ...
    @property
    def credentials(self) -> str: ...
    @property
    def json_set(self) -> tuple[tuple[str, Any], ...]: ...
    @property
    def path_replace(self) -> str | None: ...
    @property
    def path_with(self) -> str | None: ...


def trial_id(
    production_name: str,
    production_urls: Sequence[str],
    production_version: str,
    candidate: Identified,
    restarts: int = 0,
) -> str:
    """`NAME-` and 10 hex digits of SHA-256.

    `restarts` is how often an operator began the trial anew.
    """
    facts = [
        production_name,
        sorted(production_urls),
        production_version,
        candidate.name,
        candidate.url,
        candidate.version,
        candidate.host,
        [[name, None if name.lower() in CREDENTIALS else value] for name, value in candidate.headers_set],
        list(candidate.headers_remove),
        [list(pair) for pair in candidate.json_set],
        candidate.path_replace,
        candidate.path_with,
        restarts,
    ]
    if candidate.credentials == "forward":
        facts.append("credentials forwarded")
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    return f"{candidate.name}-{digest[:10]}"
