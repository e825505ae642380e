"""From the snapshot back to the settings: what a file would have to say for the proxy that runs.

Law: `build(settle(unbuild(s)))` is `s`, but for its generation, its trials' restarts, what is paused and a ramp, which
no file can say.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec

from shadowproxy.settings import snapshot as s
from shadowproxy.settings.model import Settings, edge, judging, logging, upstream
from shadowproxy.settings.model.section import Section


def unbuild(snapshot: s.Snapshot) -> Settings:
    """Settled settings, whose values are as Python holds them."""
    made: Settings = _like(
        Settings,
        snapshot,
        admin=_like(edge.Admin, snapshot.admin, listen=snapshot.admin.listen or "off"),
        production=_production(snapshot.production),
        twin=upstream.Twin.model_construct(**_shadow(snapshot.twin)) if snapshot.twin else None,
        candidates=tuple(candidate_settings(candidate) for candidate in snapshot.candidates),
        routes=tuple(_route(route) for route in snapshot.routes),
        compare=_compare(snapshot.compare),
        pairs=_pairs(snapshot.pairs),
    )
    return made


def candidate_settings(candidate: s.Candidate) -> upstream.Candidate:
    made: upstream.Candidate = upstream.Candidate.model_construct(
        name=candidate.name,
        expect=candidate.expect,
        gated=candidate.gated,
        gates=candidate.gates or (),
        **_shadow(candidate),
    )
    return made


def _like(section: type[Section], record: Any, **more: Any) -> Any:
    """A section whose keys are named as the record's fields, and so on within them."""
    fields = {
        name: _value(field.annotation, getattr(record, name))
        for name, field in section.model_fields.items()
        if name not in more
    }
    return section.model_construct(**fields, **more)


def _value(annotation: Any, value: Any) -> Any:
    if get_origin(annotation) is dict:
        return dict(value)
    if isinstance(value, tuple):
        inner = next(iter(get_args(annotation)), None)
        return tuple(_value(inner, item) for item in value)
    if not isinstance(value, msgspec.Struct):
        return value
    kinds = [annotation, *get_args(annotation)]
    section = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))
    return _like(section, value)


def _production(production: s.Production) -> upstream.Production:
    urls = production.urls
    made: upstream.Production = upstream.Production.model_construct(
        name=production.name,
        url=urls[0] if len(urls) == 1 else None,
        urls=urls if len(urls) > 1 else None,
        version=production.version,
        host=production.host,
        tls=_like(upstream.UpstreamTls, production.tls),
        timeouts=_like(upstream.Timeouts, production.timeouts),
        connections=production.connections,
        keep_alive=production.keep_alive,
        max_age=production.max_age,
        **_rewriting(production),
    )
    return made


def _shadow(shadow: s.Candidate) -> dict[str, Any]:
    has_tls = shadow.tls != s.UpstreamTls()
    return {
        "url": shadow.url,
        "version": shadow.version,
        "tls": _like(upstream.UpstreamTls, shadow.tls) if has_tls else None,
        "sample": shadow.sample,
        "sample_key": shadow.sample_key,
        "timeout": "auto" if shadow.timeout is None else shadow.timeout,
        "max_in_flight": shadow.max_in_flight,
        "mirror_up_to": shadow.mirror_up_to,
        "answer_up_to": shadow.answer_up_to,
        "send": shadow.send,
        "host": shadow.host,
        "credentials": shadow.credentials,
        "breaker": _like(upstream.Breaker, shadow.breaker),
        "stop": (upstream.TwinStop if shadow.name == "twin" else upstream.Stop).model_construct(
            after="never" if shadow.stop_after is None else shadow.stop_after, on=shadow.stop_on
        ),
        **_rewriting(shadow),
    }


def _rewriting(one: s.Production | s.Candidate) -> dict[str, Any]:
    path: dict[str, Any] = {"replace": one.path_replace, "with": one.path_with}
    return {
        "headers": upstream.Headers.model_construct(set=dict(one.headers_set), remove=one.headers_remove),
        "json": upstream.JsonRewrite.model_construct(set=dict(one.json_set)),
        "path": upstream.PathRewrite.model_construct(**path),
    }


def _route(route: s.Route) -> judging.Route:
    match = route.match
    made: judging.Route = judging.Route.model_construct(
        name=route.name,
        match=judging.Match.model_construct(
            path=match.path,
            methods=match.methods,
            headers=dict(match.headers),
            query=dict(match.query),
            json=dict(match.json),
        ),
        candidates=route.candidates,
        protocol=route.protocol,
        prediction=_prediction(route.prediction) if route.prediction else None,
        key=route.key,
        slices=dict(route.slices),
        compare=_compare(route.compare),
    )
    return made


def _prediction(prediction: s.Prediction) -> judging.Prediction:
    fields: dict[str, Any] = {"is": prediction.kind}
    fields |= {name: getattr(prediction, name) for name in ("at", "key", "threshold", "tolerance", "top")}
    made: judging.Prediction = judging.Prediction.model_construct(**fields)
    return made


def _compare(compare: s.Compare) -> judging.Compare:
    made: judging.Compare = _like(
        judging.Compare,
        compare,
        tolerance=judging.Tolerance.model_construct(absolute=compare.absolute, relative=compare.relative),
    )
    return made


def _pairs(pairs: s.Pairs) -> logging.Pairs:
    redact = pairs.redact
    made: logging.Pairs = _like(
        logging.Pairs,
        pairs,
        redact=logging.Redact.model_construct(json=redact.json, query=redact.query, how=redact.how, key=redact.key),
    )
    return made
