"""From the settled model to the snapshot that processes read, and the trials' ids."""

from __future__ import annotations

import msgspec

from shadowproxy.core.trial import trial_id
from shadowproxy.settings import snapshot as s
from shadowproxy.settings.model import Settings, judging, signals, upstream
from shadowproxy.settings.model.logging import Pairs
from shadowproxy.settings.settle import production_urls


def build(settings: Settings, log_format: str) -> s.Snapshot:
    """`settings` must be settled. Everything that a snapshot holds, but its generation, which starts at 1."""
    production = _production(settings.production)
    shadows = [_shadow(candidate, production) for candidate in settings.candidates]
    return s.Snapshot(
        listen=settings.listen,
        workers=settings.workers,
        state=settings.state,
        admin=s.Admin(
            listen=None if settings.admin.listen == "off" else settings.admin.listen,
            token=settings.admin.token,
            link=settings.admin.link.rstrip("/") if settings.admin.link else None,
        ),
        tls=s.DownstreamTls(**settings.tls.values()) if settings.tls else None,
        trusted_proxies=settings.trusted_proxies,
        via=settings.via,
        answer_request_id=settings.answer_request_id,
        production=production,
        twin=_shadow(settings.twin, production) if settings.twin else None,
        candidates=tuple(shadows),
        mirror=s.Mirror(**settings.mirror.values()),
        limits=s.Limits(**settings.limits.values()),
        routes=tuple(_route(route) for route in settings.routes or ()),
        compare=_compare(settings.compare),
        statistics=_statistics(settings.statistics),
        gates=settings.gates,
        pairs=_pairs(settings.pairs),
        notify=tuple(s.Notify(**notify.values()) for notify in settings.notify),
        flags=_flags(settings.flags) if settings.flags else None,
        logs=s.Logs(
            profile=settings.logs.profile, ship=s.Ship(**settings.logs.ship.values()) if settings.logs.ship else None
        ),
        otel=_otel(settings.otel) if settings.otel else None,
        metrics=_metrics(settings.metrics),
        log_format=log_format,
    )


def _production(production: upstream.Production) -> s.Production:
    return s.Production(
        name=production.name,
        urls=production_urls(production),
        version=production.version,
        host=production.host,
        tls=s.UpstreamTls(**production.tls.values()),
        timeouts=s.Timeouts(**production.timeouts.values()),
        connections=production.connections,
        keep_alive=production.keep_alive,
        max_age=production.max_age,
        headers_set=tuple(production.headers.set_.items()),
        headers_remove=production.headers.remove,
        json_set=tuple(production.json_.set_.items()),
        path_replace=production.path.replace,
        path_with=production.path.with_,
    )


def _shadow(shadow: upstream.Candidate | upstream.Twin, production: s.Production) -> s.Candidate:
    own = shadow if isinstance(shadow, upstream.Candidate) else None
    made = s.Candidate(
        name=own.name if own else "twin",
        url=shadow.url,
        version=shadow.version,
        expect=own.expect if own else "same",
        gated=own.gated if own else False,
        gates=own.gates if own else None,
        sample=shadow.sample,
        sample_key=shadow.sample_key,
        timeout=None if shadow.timeout == "auto" else shadow.timeout,
        max_in_flight=shadow.max_in_flight,
        mirror_up_to=shadow.mirror_up_to,
        answer_up_to=shadow.answer_up_to,
        send=shadow.send,
        host=shadow.host,
        headers_set=tuple(shadow.headers.set_.items()),
        headers_remove=shadow.headers.remove,
        credentials=shadow.credentials,
        json_set=tuple(shadow.json_.set_.items()),
        path_replace=shadow.path.replace,
        path_with=shadow.path.with_,
        breaker=s.Breaker(**shadow.breaker.values()),
        stop_after=None if shadow.stop.after == "never" else shadow.stop.after,
        stop_on=shadow.stop.on,
        tls=s.UpstreamTls(**shadow.tls.values()) if shadow.tls else s.UpstreamTls(),
    )
    trial = trial_id(production.name, production.urls, production.version, made)
    return msgspec.structs.replace(made, trial=trial)


def _route(route: judging.Route) -> s.Route:
    assert route.name is not None  # settle() names every route
    match, prediction = route.match, route.prediction
    return s.Route(
        name=route.name,
        match=s.Match(
            path=match.path,
            methods=match.methods,
            headers=tuple(match.headers.items()),
            query=tuple(match.query.items()),
            json=tuple(match.json_.items()),
        ),
        candidates=route.candidates,
        protocol=route.protocol,
        prediction=_prediction(prediction) if prediction else None,
        key=route.key,
        slices=tuple(route.slices.items()),
        compare=_compare(route.compare),
    )


def _prediction(prediction: judging.Prediction) -> s.Prediction:
    return s.Prediction(
        at=prediction.at,
        kind=prediction.is_,
        key=prediction.key,
        threshold=prediction.threshold,
        tolerance=prediction.tolerance,
        top=prediction.top,
    )


def _compare(compare: judging.Compare) -> s.Compare:
    return s.Compare(
        up_to=compare.up_to,
        ignore=compare.ignore,
        absolute=compare.tolerance.absolute,
        relative=compare.tolerance.relative,
        by_datatype=compare.tolerance.by_datatype,
        unordered=compare.unordered,
        headers=compare.headers,
    )


def _statistics(statistics: judging.Statistics) -> s.Statistics:
    return s.Statistics(
        confidence=statistics.confidence,
        bucket=statistics.bucket,
        coverage=statistics.coverage,
        warmup=statistics.warmup,
        at_least=s.AtLeast(**statistics.at_least.values()),
    )


def _flags(flags: signals.Flags) -> s.Flags:
    return s.Flags(
        file=flags.file,
        to=flags.to,
        every=flags.every,
        follow=tuple(s.Follow(**follow.values()) for follow in flags.follow),
    )


def _otel(otel: signals.Otel) -> s.Otel:
    return s.Otel(to=otel.to.rstrip("/"), headers=tuple(otel.headers.items()), metrics=otel.metrics, traces=otel.traces)


def _metrics(metrics: signals.Metrics) -> s.Metrics:
    return s.Metrics(
        every=metrics.every,
        statsd=s.StatsD(**metrics.statsd.values()) if metrics.statsd else None,
        graphite=s.Graphite(**metrics.graphite.values()) if metrics.graphite else None,
    )


def _pairs(pairs: Pairs) -> s.Pairs:
    redact = pairs.redact
    return s.Pairs(
        dir=pairs.dir,
        store_up_to=pairs.store_up_to,
        bodies=pairs.bodies,
        headers=pairs.headers,
        redact=s.Redact(json=redact.json_, query=redact.query, how=redact.how, key=redact.key),
        flush=pairs.flush,
        rotate=s.Rotate(**pairs.rotate.values()),
        keep=s.Keep(**pairs.keep.values()),
        recorders=pairs.recorders,
    )
