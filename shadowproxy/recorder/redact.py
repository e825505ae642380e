"""What must not reach the disk, and what stands there instead.

Law: where redaction of JSON is configured, everything that a line says about bodies is derived from the *redacted*
documents alone: texts, values of differences, predictions, keys, slices. A body in which a path cannot be looked up
(cut off, not JSON, a coding that cannot be removed) is withheld. So a fault in looking costs a body, never a secret.

A redacted value becomes `redacted:` and 24 hex digits of HMAC-SHA256 over its JSON: equal stays equal, also between a
body and a query. With `how: remove` it is `redacted` alone.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from shadowproxy.compare import compile_path
from shadowproxy.compare.lift import Form, lift_json
from shadowproxy.settings.snapshot import Redact

MARK: Final = "redacted"
_DIGITS: Final = 24
_SEPARATOR: Final = re.compile(r"([&;])")  # some servers still take a semicolon for an ampersand
_EXACT_INTEGERS: Final = 2**53

# Values of these fields are secrets whatever the settings say: they are stored nowhere, and hashed where they are asked
# for as a key or a slice.
CREDENTIALS: Final = frozenset(
    {
        "authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate", "authentication-info",
        "proxy-authentication-info", "cookie", "cookie2", "set-cookie", "set-cookie2", "api-key", "apikey", "x-api-key",
        "x-auth-token", "x-access-token", "x-amz-security-token", "x-goog-api-key", "x-functions-key",
        "ocp-apim-subscription-key", "private-token", "x-vault-token", "x-csrf-token", "x-xsrf-token",
        "x-forwarded-client-cert",
    }
)  # fmt: skip


class Redactor:
    """One configuration's redaction, compiled. ValueError with a sentence for a path that is none."""

    __slots__ = ("_key", "_names", "_paths", "_removes", "covers_bodies")

    def __init__(self, settings: Redact, key: bytes) -> None:
        self._paths = tuple(compile_path(path) for path in settings.json)
        self._names = frozenset(name.casefold() for name in settings.query)
        self._removes = settings.how == "remove"
        self._key = key
        self.covers_bodies: Final = bool(self._paths)

    def token(self, value: Any) -> str:
        """What stands in the place of a value; equal numbers are equal however they are written."""
        if self._removes:
            return MARK
        digest = hmac.digest(self._key, _canonical(value), "sha256").hex()
        return f"{MARK}:{digest[:_DIGITS]}"

    def document(self, value: Any) -> Any:
        """A lifted JSON value without its secrets."""
        for path in self._paths:
            value = path.replace(value, self.token)
        return value

    def body(self, body: bytes | None, truncated: bool) -> Redacted:
        """The body written anew: of a member that stands twice in an object, one reader's view would not be enough."""
        if body is None or truncated:
            return WITHHELD
        if not body:
            return EMPTY
        lifted = lift_json(body)
        if lifted is None or lifted.form is not Form.JSON:
            return WITHHELD
        if not self._paths:
            return Redacted(body, lifted.value)
        value = self.document(lifted.value)
        return Redacted(_written(value, bool(lifted.nonfinite)), value)

    def target(self, target: str) -> str:
        """A request's target with the values of the named query parameters replaced."""
        path, mark, query = target.partition("?")
        if not mark or not self._names:
            return target
        parts = _SEPARATOR.split(query)
        parts[::2] = [self._parameter(part) for part in parts[::2]]
        return f"{path}?{''.join(parts)}"

    def _parameter(self, part: str) -> str:
        name, equals, value = part.partition("=")
        if not equals or unquote_plus(name).strip().casefold() not in self._names:
            return part
        return f"{name}={self.token(unquote_plus(value))}"


class Redacted:
    """A body as it may be shown: its bytes and its value, or neither."""

    __slots__ = ("body", "value")

    def __init__(self, body: bytes | None, value: Any) -> None:
        self.body = body
        self.value = value


WITHHELD: Final = Redacted(None, None)
EMPTY: Final = Redacted(b"", None)


def _canonical(value: Any) -> bytes:
    return json.dumps(_normal(value), sort_keys=True, separators=(",", ":")).encode()


def _normal(value: Any) -> Any:
    """Nesting is bounded by what `lift_json` follows."""
    if isinstance(value, float):
        return int(value) if abs(value) < _EXACT_INTEGERS and value.is_integer() else value
    if isinstance(value, dict):
        return {name: _normal(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_normal(element) for element in value]
    return value


def _written(value: Any, nonfinite: bool) -> bytes:
    """JSON text; orjson knows no NaN, no integers beyond 64 bits and no lone surrogates."""
    if not nonfinite:
        try:
            return orjson.dumps(value)
        except TypeError:
            pass
    return json.dumps(value, separators=(",", ":")).encode()
