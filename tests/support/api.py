"""A client of the admin API, as a script would be one."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from tests.support.until import until


@dataclass(frozen=True)
class Said:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.data) if self.data else None

    @property
    def etag(self) -> str:
        return self.headers["etag"]


class Api:
    """`address`: host:port."""

    def __init__(self, address: str, token: str = "", timeout_s: float = 60.0) -> None:
        self.address = address
        self._token = token
        self._timeout_s = timeout_s

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        """Header names with `_` for `-`."""
        connection = http.client.HTTPConnection(self.address, timeout=self._timeout_s)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Said(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Any:
        """The body of a 200; a 503 is asked again, for on a busy machine the supervisor answers late."""
        asked: list[Said] = []

        def is_told() -> bool:
            asked.append(self.ask("GET", path, **headers))
            return asked[-1].status != 503

        until(is_told, what=f"GET {path}", step_s=0.1)
        assert asked[-1].status == 200, asked[-1]
        return asked[-1].body

    def post(self, path: str, body: Any = None, **headers: str) -> Said:
        return self.ask("POST", path, body, **headers)

    def did(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> Any:
        """The body of a change that was made."""
        said = self.ask(method, path, body, **headers)
        assert said.status in (200, 201, 204), said
        return said.body


def wait_for_pass(api: Api, name: str, within_s: float = 120.0) -> dict[str, Any]:
    """The candidate's record once it says PASS; where none does, the failure shows the last."""
    record: dict[str, Any] = {}

    def passes() -> bool:
        record.update(api.get(f"/api/v1/candidates/{name}/verdict"))
        return bool(record["verdict"] == "PASS")

    try:
        until(passes, within_s, f"a PASS of {name}", 0.2)
    except AssertionError as late:
        raise AssertionError(f"{late}: {record}") from None
    return record
