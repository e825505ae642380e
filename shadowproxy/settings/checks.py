"""What no single key can know: names that repeat, routes that point nowhere, an open admin port.

Each check names the sections that it reads; it runs when those are free of faults, whatever is wrong elsewhere.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Final

from shadowproxy.settings.model import Settings
from shadowproxy.settings.model.upstream import Production, Shadow, UpstreamTls
from shadowproxy.settings.problem import KeyPath, suggestion
from shadowproxy.settings.syntax import is_loopback

RESERVED_NAMES: Final = ("twin", "production")
Found = Iterator[tuple[KeyPath, str]]


def check(settings: Settings, faulty: frozenset[str]) -> Iterator[tuple[KeyPath, str]]:
    """Key path and sentence of each fault; `faulty` are the top-level keys whose values are stand-ins."""
    for reads, rule in _CHECKS:
        if not faulty.intersection(reads):
            yield from rule(settings)


def _production_has_one_address(settings: Settings) -> Found:
    production = settings.production
    if production.url is None and production.urls is None:
        yield ("production", "url"), "expected a value, this key is required (the model whose answers clients get)"
    if production.url is not None and production.urls is not None:
        yield ("production", "urls"), "expected either url or urls, there were both"
    yield from _repeated(("production", "urls"), production.urls or (), "URL")


def _names_are_distinct(settings: Settings) -> Found:
    names = [candidate.name for candidate in settings.candidates]
    for index, name in enumerate(names):
        path: KeyPath = ("candidates", index, "name")
        if name in RESERVED_NAMES:
            yield path, f"expected a name other than {' and '.join(RESERVED_NAMES)}, which are reserved"
        elif name == settings.production.name:
            yield path, f"expected a name of its own, {name!r} is production's"
        elif name in names[:index]:
            yield path, f"expected a name of its own, {name!r} is also candidates[{names.index(name)}]'s"
    if settings.production.name == "twin":
        yield ("production", "name"), "expected a name other than twin, which is reserved"


def _routes_are_distinct(settings: Settings) -> Found:
    names = [route.name or f"route-{number}" for number, route in enumerate(settings.routes or (), start=1)]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (
                ("routes", index, "name"),
                f"expected a name of its own, {name!r} is also routes[{names.index(name)}]'s",
            )


def _routes_know_their_candidates(settings: Settings) -> Found:
    known = [candidate.name for candidate in settings.candidates]
    for index, route in enumerate(settings.routes or ()):
        for place, name in enumerate(route.candidates or ()):
            if name not in known:
                expected = f"expected the name of a candidate ({', '.join(known) or 'there is none'})"
                yield (
                    ("routes", index, "candidates", place),
                    f"{expected}, there was {name!r}{suggestion(name, known)}",
                )


def _admin_is_closed(settings: Settings) -> Found:
    listen = settings.admin.listen
    if listen != "off" and not is_loopback(listen) and not settings.admin.token:
        yield ("admin", "token"), f"expected a token, because admin.listen is {listen}, which others can reach"


def _addresses_differ(settings: Settings) -> Found:
    if settings.listen == settings.admin.listen and not settings.listen.endswith(":0"):
        yield ("admin", "listen"), f"expected an address other than listen's, both are {settings.listen}"


def _shadows(settings: Settings) -> Iterator[tuple[KeyPath, Shadow]]:
    if settings.twin:
        yield ("twin",), settings.twin
    for index, candidate in enumerate(settings.candidates):
        yield ("candidates", index), candidate


def _rewritten(settings: Settings) -> Iterator[tuple[KeyPath, Shadow | Production]]:
    yield ("production",), settings.production
    yield from _shadows(settings)


def _a_twin_has_no_verdict(settings: Settings) -> Found:
    if settings.twin and settings.twin.stop.on:
        yield ("twin", "stop", "on"), "expected no verdict, a twin has none: it stops `after` a time or is paused"


def _paths_are_whole(settings: Settings) -> Found:
    for path, shadow in _rewritten(settings):
        if (shadow.path.replace is None) is not (shadow.path.with_ is None):
            yield (*path, "path"), "expected both replace and with, there was one of them"


def _certificates_have_keys(settings: Settings) -> Found:
    for path, tls in _upstream_tls(settings):
        if (tls.certificate is None) is not (tls.key is None):
            yield (*path, "tls"), "expected both certificate and key, there was one of them"


def _upstream_tls(settings: Settings) -> Iterator[tuple[KeyPath, UpstreamTls]]:
    yield ("production",), settings.production.tls
    for path, shadow in _shadows(settings):
        if shadow.tls:
            yield path, shadow.tls


def _headers_agree(settings: Settings) -> Found:
    for path, shadow in _rewritten(settings):
        removed = {name.lower() for name in shadow.headers.remove}
        seen: set[str] = set()
        for name in shadow.headers.set_:
            here = (*path, "headers", "set", name)
            if name.lower() in removed:
                yield here, "expected a header that headers.remove does not name"
            if name.lower() in seen:
                yield here, "expected each header once, whatever its case"
            seen.add(name.lower())


_READ_BY: Final = {"threshold": "score", "tolerance": "number", "top": "ranking"}


def _predictions_have_no_idle_keys(settings: Settings) -> Found:
    for index, route in enumerate(settings.routes or ()):
        prediction = route.prediction
        for key, kind in _READ_BY.items():
            if prediction and getattr(prediction, key) is not None and prediction.is_ != kind:
                yield (
                    ("routes", index, "prediction", key),
                    f"expected is: {kind} beside this key, there was {prediction.is_}",
                )


def _confidence_is_one(settings: Settings) -> Found:
    if not 0.5 <= settings.statistics.confidence < 1:
        yield ("statistics", "confidence"), "expected a share from 50% to below 100%"


def _flags_have_one_source(settings: Settings) -> Found:
    flags = settings.flags
    if flags is None:
        return
    if (flags.file is None) is (flags.to is None):
        yield ("flags",), "expected either file or to" + (", there were both" if flags.file else "")
    if not is_installed("openfeature.contrib.provider.flagd"):
        yield ("flags",), "expected the extra flags to be installed: pip install 'shadowproxy[flags]'"


def _flags_know_their_candidates(settings: Settings) -> Found:
    known = [candidate.name for candidate in settings.candidates]
    seen: set[str] = set()
    for index, follow in enumerate(settings.flags.follow if settings.flags else ()):
        here: KeyPath = ("flags", "follow", index)
        if follow.candidate not in known:
            expected = f"expected the name of a candidate ({', '.join(known) or 'there is none'})"
            yield (
                (*here, "candidate"),
                f"{expected}, there was {follow.candidate!r}{suggestion(follow.candidate, known)}",
            )
        elif follow.candidate in seen:
            yield (*here, "candidate"), f"expected each candidate once, {follow.candidate} is there twice"
        seen.add(follow.candidate)
        if not follow.sample and not follow.pause:
            yield here, "expected the key of a flag in sample, pause or both"


def _otel_can_be_sent(settings: Settings) -> Found:
    if settings.otel is not None and "@" in settings.otel.to:
        yield ("otel", "to"), "expected a URL without user and password; give credentials in otel.headers"
    if settings.otel is not None and not is_installed("opentelemetry.exporter.otlp.proto.http"):
        yield ("otel",), "expected the extra otel to be installed: pip install 'shadowproxy[otel]'"


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _repeated(path: KeyPath, values: tuple[str, ...], what: str) -> Found:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield (*path, index), f"expected each {what} once, {value} is there twice"


_CHECKS: Final[tuple[tuple[tuple[str, ...], Callable[[Settings], Found]], ...]] = (
    (("production",), _production_has_one_address),
    (("production", "candidates"), _names_are_distinct),
    (("routes",), _routes_are_distinct),
    (("routes", "candidates"), _routes_know_their_candidates),
    (("admin",), _admin_is_closed),
    (("listen", "admin"), _addresses_differ),
    (("twin",), _a_twin_has_no_verdict),
    (("production", "twin", "candidates"), _paths_are_whole),
    (("production", "twin", "candidates"), _certificates_have_keys),
    (("production", "twin", "candidates"), _headers_agree),
    (("routes",), _predictions_have_no_idle_keys),
    (("statistics",), _confidence_is_one),
    (("flags",), _flags_have_one_source),
    (("otel",), _otel_can_be_sent),
    (("flags", "candidates"), _flags_know_their_candidates),
)
