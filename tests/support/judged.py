"""Gates by hand, put into a record that was made from a log: for formats, which only show what the judge said."""

from __future__ import annotations

from typing import Any

import msgspec

from shadowproxy.report.record import Candidate, Gate, Needed, Report


def gate(metric: str = "error_rate_increase", verdict: str = "FAIL", **more: Any) -> Gate:
    facts: dict[str, Any] = {
        "name": metric,
        "options": {},
        "title": "Errors",
        "about": "Share of requests on which only v2 was bad, less the share on which only v1 was bad.",
        "unit": "pp",
        "operator": "<=",
        "limit": 0.005,
        "reference": "production",
        "method": "by hand",
        "n": 1000,
        "estimate": 0.012,
        "low": 0.009,
        "high": 0.016,
        "reason": None,
        "explanation": "",
        "needed": None,
    }
    return Gate(metric=metric, verdict=verdict, **{**facts, **more})


def undecided(metric: str = "slower_share", **more: Any) -> Gate:
    facts = {
        "name": f"{metric}{{by=10%}}",
        "options": {"by": "10%"},
        "title": "Clearly slower (> 10 %)",
        "about": "Share of requests on which v2 took over 10 % longer.",
        "limit": 0.1,
        "estimate": 0.05,
        "low": None,
        "high": 0.14,
        "reason": "too_few_pairs",
        "explanation": "there are too few pairs to decide",
        "needed": Needed(pairs=2000, more=1000, seconds=600.0),
    }
    return gate(metric, "INCONCLUSIVE", **{**facts, **more})


def with_gates(found: Report, *gates: Gate, name: str = "v2", **more: Any) -> Report:
    """The report as if these gates had judged its candidate."""
    worst = max((one.verdict for one in gates), key=("PASS", "INCONCLUSIVE", "FAIL").index, default=None)
    facts: dict[str, Any] = {"gates": list(gates), "verdict": worst, **more}
    candidate: Candidate = msgspec.structs.replace(found.candidates[name], **facts)
    return msgspec.structs.replace(found, verdict=worst, candidates={**found.candidates, name: candidate})
