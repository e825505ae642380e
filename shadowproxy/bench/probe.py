"""One request ahead of the load, whose answer shows which kind of connection the load needs."""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import Final

from shadowproxy.bench.connect import connect
from shadowproxy.bench.connection import Connection, Headless, Streaming, Unbounded
from shadowproxy.bench.plan import Plan

_LENGTHS: Final = (b"content-length", b"transfer-encoding")
_WITHOUT_BODY: Final = (204, 304)


async def kind_of(plan: Plan) -> type[Connection]:
    """Raises OSError when nobody answers: refused, closed, malformed, or silent for `plan.timeout_s`."""
    request = plan.requests[0]
    if request.startswith(b"HEAD "):
        return Headless
    probe = _Probe()
    transport, connection = await connect(plan, lambda: _Probing(probe))
    try:
        async with asyncio.timeout(plan.timeout_s):
            now_ns = monotonic_ns()
            connection.send(request, now_ns, now_ns)
            await probe.heard
    except TimeoutError:
        raise OSError(f"no answer within {plan.timeout_s:g} s") from None
    finally:
        transport.abort()
    return connection.kind()


class _Probe:
    def __init__(self) -> None:
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def headed(self) -> None:
        if not self.heard.done():
            self.heard.set_result(None)

    def answered(self, connection: Connection, due_ns: int, now_ns: int, status: int) -> None:
        self.headed()

    def events(self, due_ns: int, since_ns: int, count: int, *, first: bool) -> None:
        pass

    def malformed(self, connection: Connection) -> None:
        self._fail("the answer is no HTTP")

    def lost(self, connection: Connection, due_ns: int) -> None:
        self._fail("the connection was closed without an answer")

    def _fail(self, why: str) -> None:
        if not self.heard.done():
            self.heard.set_exception(OSError(why))


class _Probing(Connection):
    def __init__(self, probe: _Probe) -> None:
        super().__init__(probe)
        self._probe = probe
        self._type = b""
        self._has_length = False

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"content-type":
            self._type = value.lower()
        elif lower in _LENGTHS:
            self._has_length = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._has_length |= status in _WITHOUT_BODY
            self._probe.headed()

    def kind(self) -> type[Connection]:
        if self._type.startswith(b"text/event-stream"):
            return Streaming
        return Connection if self._has_length else Unbounded
