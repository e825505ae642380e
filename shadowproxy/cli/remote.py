"""A running proxy, asked through its admin API: `--admin URL`, the token from SHADOWPROXY_ADMIN_TOKEN.

A proxy that cannot be reached, or has a fault, is exit 4; one that says no is exit 2, but for a refused promotion.
"""

from __future__ import annotations

import getpass
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import click

from shadowproxy.cli.errors import RuntimeProblem, UsageProblem

DEFAULT: Final = "http://127.0.0.1:9900"
TOKEN: Final = "SHADOWPROXY_ADMIN_TOKEN"
TIMEOUT_S: Final = 90.0  # a change waits for every process

_Command = TypeVar("_Command", bound=Callable[..., Any])


def admin_option(command: _Command) -> _Command:
    return click.option(
        "--admin",
        metavar="URL",
        default=DEFAULT,
        show_default=True,
        help=f"The running proxy's admin port; its token is read from {TOKEN}.",
    )(command)


json_option: Final = click.option("--json", "as_json", is_flag=True, help="What the admin API says, as JSON.")


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    body: Any
    etag: str

    @property
    def is_done(self) -> bool:
        return self.status < 400

    @property
    def sentence(self) -> str:
        """Why not."""
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        return str(detail or f"the admin API answered {self.status}")


class Remote:
    """Raises UsageProblem for a URL that is none, RuntimeProblem where nothing answers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise UsageProblem(f"--admin {url}: expected a URL such as {DEFAULT}")
        self._url = url.rstrip("/")
        self._host, self._port, self._tls = parts.hostname, parts.port, parts.scheme == "https"

    def ask(self, method: str, path: str, body: Any = None) -> Said:
        """`path` below /api/v1."""
        status, told, etag = self._asked(method, path, body)
        try:
            found = json.loads(told) if told else None
        except ValueError:
            raise RuntimeProblem(f"{self._url}: expected shadowproxy's admin API, something else answered") from None
        return Said(status, found, etag)

    def _asked(self, method: str, path: str, body: Any) -> tuple[int, bytes, str]:
        """(status, body, ETag)."""
        connection = self._connection()
        headers = {"Accept": "application/json", "X-Shadowproxy-Actor": _actor()}
        if token := os.environ.get(TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, f"/api/v1{path}", data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers.get("ETag", "")
        except (OSError, http.client.HTTPException) as e:
            raise RuntimeProblem(
                f"{self._url}: no answer: {getattr(e, 'strerror', None) or e or type(e).__name__}"
            ) from e
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_S, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """What a request that was granted is answered; problems are raised."""
        said = self.ask(method, path, body)
        if said.is_done:
            return said.body
        if said.status >= 500:
            raise RuntimeProblem(f"{self._url}: {said.sentence}")
        hint = f" Set {TOKEN}." if said.status == 401 else ""
        raise UsageProblem(f"{said.sentence}{hint}")

    def get(self, path: str) -> Any:
        return self.done("GET", path)

    def text(self, path: str) -> str:
        """What is answered as it is; problems are raised."""
        status, told, _ = self._asked("GET", path, None)
        if status >= 400:
            self.get(path)  # says why
            raise RuntimeProblem(f"{self._url}: the admin API answered {status}")
        return told.decode("utf-8", "replace")


def name_in_path(name: str) -> str:
    return quote(name, safe="")


def in_force(told: Mapping[str, Any]) -> str:
    return f"generation {told['generation']} is in force"


def _actor() -> str:
    """Who types, for the audit."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user id without a name
        return f"uid {os.getuid()}"
