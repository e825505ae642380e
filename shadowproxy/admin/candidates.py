"""What the running proxy knows of each candidate and the twin: its ledger's sums and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shadowproxy.settings.snapshot import Candidate, Snapshot

from .series import by_label


def mirrors(snapshot: Snapshot) -> list[Candidate]:
    """Every candidate, then the twin where there is one."""
    return [*snapshot.candidates, *([snapshot.twin] if snapshot.twin else [])]


def ledger_of(mirror: Candidate, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of the mirror's rows over its routes, in its present trial alone: older trials are other evidence."""
    sums: dict[str, Any] = {}
    for row in rows:
        if row.get("candidate") != mirror.name or (mirror.trial and row.get("trial") != mirror.trial):
            continue
        for name, value in row.items():
            if isinstance(value, Mapping):
                reasons = sums.setdefault(name, {})
                for reason, count in value.items():
                    reasons[reason] = reasons.get(reason, 0) + count
            elif isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    return sums


def coverage(ledger: Mapping[str, Any]) -> float | None:
    """logged / (eligible − sampled_out − in_flight): the share of pairs due by now in the log; None before any."""
    wanted = ledger.get("eligible", 0) - ledger.get("sampled_out", 0) - ledger.get("in_flight", 0)
    return ledger.get("logged", 0) / wanted if wanted > 0 else None


def agreements(mirrors: Iterable[Candidate], counters: Mapping[str, float]) -> dict[str, float]:
    """By candidate: the share of its present trial's decided pairs in which it decided as production did.

    Without one it is absent.
    """
    agree = by_label(counters, "pairs_agree_total", "trial")
    decided = by_label(counters, "pairs_decided_total", "trial")
    trials = {mirror.name: mirror.trial for mirror in mirrors}
    return {name: agree.get(trial, 0.0) / decided[trial] for name, trial in trials.items() if decided.get(trial)}
