"""Sampling and pause that follow feature flags, by OpenFeature (the extra `flags`).

    flag               its value                                 in doubt
    follow.pause       true pauses the candidate                 paused
    follow.sample      a share as the file writes it: "10%"      paused

In doubt is: no provider, one that is not READY, a flag that is not there, disabled, of another kind, or no share.

Law: flags are resolved in the background, on a thread, and never for a request; what follows from them is asked of the
supervisor as an operator would ask, under the name `flags`, and only where it differs from what is in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from shadowproxy.settings.snapshot import Candidate, Flags, Follow
from shadowproxy.settings.units import parse_share

from .asking import CHANGE_S, Asker, NoAnswerError, RefusedError
from .reading import Reading

BY: Final = "flags"
RESOLVE_S: Final = 5.0

_log = structlog.get_logger()


class Doubt(Exception):
    """A flag says nothing that can be relied on; one sentence."""


class Source(Protocol):
    """Where flags are resolved; every method may block."""

    def boolean(self, key: str, context: Mapping[str, str]) -> bool: ...

    def text(self, key: str, context: Mapping[str, str]) -> str: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a candidate's flags want; `sample` is None where none says. `doubt`: why it is paused though none does."""

    paused: bool
    sample: float | None = None
    doubt: str = ""


class Following:
    def __init__(self, asker: Asker, connect: Callable[[Flags], Source] | None = None) -> None:
        self._asker = asker
        self._connect = connect or _flagd
        self._settings: Flags | None = None
        self._source: Source | None = None
        self._looked_at = 0.0
        self._resolving: asyncio.Future[dict[str, Wish]] | None = None
        self._told: dict[str, str] = {}

    async def look(self, reading: Reading) -> None:
        settings = reading.snapshot.flags
        if settings != self._settings:
            await self.close()
            self._settings = settings
            self._looked_at = 0.0
        if settings is None or reading.is_within(settings.every, self._looked_at):
            return
        self._looked_at = reading.at
        wishes = await self._resolve(settings, reading)
        for candidate in reading.snapshot.candidates:
            wish = wishes.get(candidate.name)
            if wish is not None:
                self._tell(candidate.name, wish.doubt)
                await self._apply(candidate, wish)

    async def _resolve(self, settings: Flags, reading: Reading) -> dict[str, Wish]:
        """One at a time: a provider that hangs holds one thread, and its candidates are paused."""
        context = {"production": reading.snapshot.production.name}
        if self._resolving is None or self._resolving.done():
            self._resolving = asyncio.ensure_future(asyncio.to_thread(self._ask_source, settings, context))
        done, _ = await asyncio.wait((self._resolving,), timeout=RESOLVE_S)
        if done:
            return self._resolving.result()
        return {one.candidate: Wish(True, doubt=f"no answer within {RESOLVE_S:g} s") for one in settings.follow}

    def _ask_source(self, settings: Flags, context: Mapping[str, str]) -> dict[str, Wish]:
        try:
            if self._source is None:
                self._source = self._connect(settings)
        except Exception as e:  # noqa: BLE001 - somebody else's code: whatever is wrong with it is doubt
            return {one.candidate: Wish(True, doubt=f"no provider: {e!r}") for one in settings.follow}
        return {one.candidate: _wish(one, self._source, context) for one in settings.follow}

    def _tell(self, name: str, doubt: str) -> None:
        """Once a change."""
        if doubt != self._told.get(name, ""):
            self._told[name] = doubt
            if doubt:
                _log.warning("flags.doubt", candidate=name, why=doubt)
            else:
                _log.info("flags.certain", candidate=name)

    async def _apply(self, candidate: Candidate, wish: Wish) -> None:
        changes: dict[str, Any] = {}
        if wish.paused != candidate.paused:
            changes["paused"] = wish.paused
        if wish.sample is not None and wish.sample != candidate.sample:
            changes["sample"] = wish.sample
        if not changes:
            return
        try:
            await self._asker.ask("edit", CHANGE_S, {"candidate": candidate.name, "by": BY, **changes})
        except (NoAnswerError, RefusedError) as e:
            _log.warning("flags.not_followed", candidate=candidate.name, because=str(e), **changes)

    async def close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            await asyncio.to_thread(source.close)


def _wish(follow: Follow, source: Source, context: Mapping[str, str]) -> Wish:
    given = {**context, "candidate": follow.candidate}
    try:
        paused = source.boolean(follow.pause, given) if follow.pause else False
        sample = _share(follow.sample, source.text(follow.sample, given)) if follow.sample else None
    except Doubt as e:
        return Wish(True, doubt=str(e))
    except Exception as e:  # noqa: BLE001 - as above
        return Wish(True, doubt=repr(e))
    return Wish(paused, sample)


def _share(key: str, text: str) -> float:
    try:
        return parse_share(text)
    except ValueError as e:
        raise Doubt(f"{key}: {e}") from None


# -- flagd ---------------------------------------------------------------------------------------------------------

DOMAIN: Final = "shadowproxy"


def _flagd(settings: Flags) -> Source:
    """ImportError without the extra."""
    from openfeature import api
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    # It tells of each failed look at its file, with a traceback; what follows from it is told here.
    logging.getLogger("openfeature").setLevel(logging.CRITICAL)
    if settings.file is not None:
        provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=settings.file)
    else:
        assert settings.to is not None  # the settings see to it
        host, _, port = settings.to.rpartition(":")
        provider = FlagdProvider(resolver_type=ResolverType.RPC, host=host.strip("[]"), port=int(port))
    api.set_provider_and_wait(provider, DOMAIN)
    return OpenFeature(api.get_client(DOMAIN), api.clear_providers)


class OpenFeature:
    """Any OpenFeature client as a source."""

    def __init__(self, client: Any, close: Callable[[], None]) -> None:
        self._client = client
        self.close = close

    def boolean(self, key: str, context: Mapping[str, str]) -> bool:
        return bool(self._details(self._client.get_boolean_details, key, True, context).value)

    def text(self, key: str, context: Mapping[str, str]) -> str:
        return str(self._details(self._client.get_string_details, key, "", context).value)

    def _details(self, resolve: Callable[..., Any], key: str, default: Any, context: Mapping[str, str]) -> Any:
        from openfeature.evaluation_context import EvaluationContext
        from openfeature.provider import ProviderStatus

        status = self._client.get_provider_status()
        if status is not ProviderStatus.READY:
            # Its last values may be told still: they are of another time.
            raise Doubt(f"the provider is {status.value}")
        details = resolve(key, default, EvaluationContext(context["candidate"], dict(context)))
        if details.error_code is not None or details.reason in ("ERROR", "DISABLED"):
            raise Doubt(f"{key}: {details.error_message or details.error_code or details.reason}")
        return details
