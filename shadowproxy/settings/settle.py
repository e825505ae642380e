"""From the valid model to what takes effect: what one key lends to another is filled in.

A route's compare lies over the global one, a candidate's gates over the global ones, a twin takes from production what
must be equal for the two to be twins.
"""

from __future__ import annotations

from shadowproxy.settings.gates import gates_over
from shadowproxy.settings.model import Settings
from shadowproxy.settings.model.judging import Compare, Route
from shadowproxy.settings.model.upstream import Candidate, Production, Twin


def settle(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "twin": settings.twin and _twin(settings.twin, settings.production),
            "candidates": tuple(_candidate(candidate, settings) for candidate in settings.candidates),
            "routes": _routes(settings),
        }
    )


def production_urls(production: Production) -> tuple[str, ...]:
    return production.urls or ((production.url,) if production.url else ())


def _twin(twin: Twin, production: Production) -> Twin:
    """Where nothing else is said, its version is production's; at production's own address so are host and TLS."""
    update: dict[str, object] = {}
    if "version" not in twin.model_fields_set:
        update["version"] = production.version
    if twin.url == "production":
        if "host" not in twin.model_fields_set:
            update["host"] = production.host
        if twin.tls is None:
            update["tls"] = production.tls
        update["url"] = production_urls(production)[0]
    return twin.model_copy(update=update)


def _candidate(candidate: Candidate, settings: Settings) -> Candidate:
    return candidate.model_copy(update={"gates": gates_over(settings.gates, candidate.gates)})


def _routes(settings: Settings) -> tuple[Route, ...]:
    if settings.routes is None:
        return (Route(name="default", compare=settings.compare),)
    return tuple(
        route.model_copy(
            update={"name": route.name or f"route-{number}", "compare": _compare(settings.compare, route.compare)}
        )
        for number, route in enumerate(settings.routes, start=1)
    )


def _compare(base: Compare, own: Compare) -> Compare:
    update = {key: getattr(own, key) for key in own.model_fields_set}
    if "tolerance" in update:
        tolerance = {key: getattr(own.tolerance, key) for key in own.tolerance.model_fields_set}
        update["tolerance"] = base.tolerance.model_copy(update=tolerance)
    return base.model_copy(update=update)
