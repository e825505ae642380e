"""The snapshot of a replay: one candidate, perhaps a twin, production as the log names it, a trial of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from shadowproxy.core.trial import trial_id
from shadowproxy.settings.load import load
from shadowproxy.settings.overrides import Overrides
from shadowproxy.settings.problem import SettingsError
from shadowproxy.settings.snapshot import Snapshot

_RECORDED = "http://recorded.invalid"  # production is not asked


def snapshot_for(config: str | None, to: str, twin: str | None, folder: str, record: Mapping[str, Any]) -> Snapshot:
    """`to` is NAME=URL: a NAME of the configuration has its rewriting and comparison. Raises SettingsError.

    `record` is a pair of the log: production's name and version are those that it recorded. Fields that redaction hides
    in the log are not compared: what was hashed then cannot equal what comes now.
    """
    try:
        read = load(config, Overrides(production=_RECORDED, candidates=(to,), twin=twin, pairs=folder)).snapshot
    except SettingsError as e:
        given = f"--candidate {to}"
        raise SettingsError([replace(p, file=f"--to {to}") if p.file == given else p for p in e.problems]) from e
    name = to.partition("=")[0]
    chosen = next(candidate for candidate in read.candidates if candidate.name == name)
    recorded = record.get("production") or {}
    production = msgspec.structs.replace(
        read.production, name=str(recorded.get("upstream") or "production"), version=str(recorded.get("version") or "")
    )
    # The "urls" keep it apart from every live trial: no live production has this one.
    trial = trial_id(production.name, (_RECORDED,), production.version, chosen)
    routes = tuple(
        msgspec.structs.replace(
            route,
            candidates=None,
            compare=msgspec.structs.replace(route.compare, ignore=(*route.compare.ignore, *read.pairs.redact.json)),
        )
        for route in read.routes
    )
    return msgspec.structs.replace(
        read,
        production=production,
        candidates=(msgspec.structs.replace(chosen, trial=trial),),
        twin=None if read.twin is None or twin is None else msgspec.structs.replace(read.twin, trial=trial),
        routes=routes,
    )
