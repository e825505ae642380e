"""Delivery: one POST a notice and webhook, TRIES times at most, and nobody waits for it.

    answer                          then
    2xx                             delivered
    408, 429, 5xx, none in time     again, after the next of PAUSES_S
    anything else                   given up: the receiver understood, and does not want it

A redirect is an answer like any other: a notice goes where the configuration says, and nowhere else.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog

from shadowproxy.settings.snapshot import Notify

from .notice import FORMS, Notice

TIMEOUT_S: Final = 5.0
TRIES: Final = 3
PAUSES_S: Final = (1.0, 5.0)  # between the tries
_AGAIN: Final = frozenset({408, 429})

_log = structlog.get_logger()


def key_of(webhook: Notify) -> str:
    """Names a webhook without telling its URL."""
    return hashlib.sha256(f"{webhook.format} {webhook.url}".encode()).hexdigest()[:16]


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


class Courier:
    """Owns the connections; `deliver` may run many times at once."""

    def __init__(self, timeout_s: float = TIMEOUT_S, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._timeout_s = timeout_s
        self._pauses_s = pauses_s
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, notice: Notice, webhook: Notify) -> bool:
        """Whether the receiver took it."""
        body = orjson.dumps(FORMS[webhook.format](notice))
        facts = {"notice": notice.event, "id": notice.id, "to": host_of(webhook.url)}
        for number in range(TRIES):
            if number:
                await asyncio.sleep(self._pauses_s[number - 1])
            why, again = await self._post(webhook.url, body)
            if not why:
                _log.info("notice.delivered", tries=number + 1, **facts)
                return True
            if not again:
                break
        _log.warning("notice.undelivered", tries=number + 1, why=why, **facts)
        return False

    async def _post(self, url: str, body: bytes) -> tuple[str, bool]:
        """(why it was not delivered, whether to try again); "" when it was. The URL, a secret, is in no sentence."""
        try:
            async with self._open().post(
                url, data=body, headers={"Content-Type": "application/json"}, allow_redirects=False
            ) as answer:
                status = answer.status
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s", True
        except (aiohttp.ClientError, OSError, ValueError) as e:
            return type(e).__name__, True
        return ("" if 200 <= status < 300 else f"status {status}"), status >= 500 or status in _AGAIN

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"User-Agent": "shadowproxy"},
                trust_env=True,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
