"""A log from before a proxy's start, so that a test need not wait for a verdict to ripen."""

from __future__ import annotations

from pathlib import Path

from shadowproxy.settings.load import load
from tests.support.pairs import PairLog, answer, incomparable

SECONDS = 1200


def fail_for_20_minutes(folder: Path, config: str, name: str) -> None:
    """Each second a pair in which the candidate `name` of the configuration file failed and production did not."""
    snapshot = load(config, None, {}).snapshot
    (trial,) = (candidate.trial for candidate in snapshot.candidates if candidate.name == name)
    log = PairLog(folder, production=snapshot.production.name)
    failed = answer(status=500, bad=True)
    log.pair(times=SECONDS, candidate=name, trial=trial, shadow=failed, comparison=incomparable("status"))
    counts = {"eligible": SECONDS, "sent": SECONDS, "finished": {"complete": SECONDS}, "logged": SECONDS}
    log.ledger(candidate=name, trial=trial, **counts)
    log.write()
