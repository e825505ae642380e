"""Writes pair logs that are true to the contract, for whatever reads them: one call a line, figures chosen by hand.

log = PairLog(tmp_path)
log.pair(shadow=answer(status=500, bad=True))
log.ledger(eligible=10, sent=9, dropped={"in_flight": 1}, finished={"complete": 9}, logged=9)
log.write()
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 1, 14, 0, 0, tzinfo=UTC)
TRIAL = "v2-0123456789"


def stamp(seconds: float) -> str:
    """RFC 3339 with microseconds, so many seconds after START."""
    return (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def answer(
    status: int | None = 200,
    *,
    ms: float = 10.0,
    outcome: str | None = "complete",
    bad: bool = False,
    upstream: str | None = None,
    version: str = "",
    fingerprint: str | None = None,
    body: str | None = '{"label": "a"}',
    body_encoding: str = "utf8",
    error: str | None = None,
    dropped: str | None = None,
    sent: float = 1.0,
    stalled: float = 0.0,
    headers: Sequence[Sequence[str]] = (("Content-Type", "application/json"),),
) -> dict[str, Any]:
    """An exchange whose latency (total - sent - stalled) is `ms`."""
    total = ms + sent + stalled
    return {
        "upstream": upstream,
        "version": version,
        "fingerprint": fingerprint,
        "outcome": outcome,
        "dropped": dropped,
        "error": error,
        "bad": bad,
        "status": status,
        "headers": [list(pair) for pair in headers],
        "body": body,
        "body_encoding": body_encoding,
        "body_bytes": len(body or ""),
        "body_truncated": False,
        "timing_ms": {
            "start": 0.1,
            "connect": 0.0,
            "sent": sent,
            "first_byte": total,
            "total": total,
            "stalled": stalled,
        },
        "stream": None,
    }


def timed_out(ms: float = 5000.0) -> dict[str, Any]:
    return answer(None, ms=ms, outcome="timeout", bad=True, body=None, body_encoding="not_stored")


def refused(error: str = "Connection refused") -> dict[str, Any]:
    return answer(None, ms=0.0, outcome="connect_error", bad=True, body=None, body_encoding="not_stored", error=error)


def dropped(reason: str) -> dict[str, Any]:
    return answer(None, ms=0.0, outcome=None, dropped=reason, body=None, body_encoding="not_stored")


def differs(path: str, kind: str = "value", production: Any = 1, other: Any = 2, key: str = "shadow") -> dict[str, Any]:
    return {"path": path, "kind": kind, "production": production, key: other}


def compared(
    result: str = "same",
    *,
    agrees: bool | None = True,
    reason: str | None = None,
    items: int = 1,
    items_disagreeing: int | None = None,
    differences: Sequence[Mapping[str, Any]] = (),
    labels: tuple[Any, Any] = ("a", "a"),
    metrics: Mapping[str, float] | None = None,
    latency_ms_difference: float | None = 0.0,
    censored: bool = False,
    rules: str = "r1",
    key: str = "shadow",
) -> dict[str, Any]:
    return {
        "result": result,
        "reason": reason,
        "agrees": agrees,
        "items": items,
        "items_disagreeing": (items if agrees is False else 0) if items_disagreeing is None else items_disagreeing,
        "differences": list(differences),
        "differences_total": len(differences),
        "metrics": dict(metrics or {}),
        "production_prediction": _decision(labels[0]),
        f"{key}_prediction": _decision(labels[1]),
        "latency_ms_difference": latency_ms_difference,
        "censored": censored,
        "rules": rules,
    }


def _decision(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def differing(old: Any = "a", new: Any = "b", **more: Any) -> dict[str, Any]:
    """A comparison whose decisions differ."""
    more.setdefault("differences", [differs("$.label", "value", old, new)])
    return compared("different", agrees=False, labels=(old, new), **more)


def incomparable(reason: str, **more: Any) -> dict[str, Any]:
    return compared("incomparable", agrees=None, reason=reason, items=0, labels=(None, None), **more)


def noisy(path: str = "$.label", kind: str = "value", agrees: bool | None = False) -> dict[str, Any]:
    return compared("different", agrees=agrees, differences=[differs(path, kind, key="twin")], key="twin")


def noiseless() -> dict[str, Any]:
    return compared(key="twin")


class PairLog:
    """Lines in order; `write()` puts them into `pairs-*.jsonl` and `ledger-*.jsonl` of a directory."""

    def __init__(self, root: Path, *, production: str = "v1", every_s: float = 1.0) -> None:
        self.root = root
        self.production = production
        self.every_s = every_s
        self.pairs: list[str] = []
        self.ledgers: list[str] = []
        self._seq = 0

    def pair(
        self,
        *,
        candidate: str = "v2",
        trial: str = TRIAL,
        at: float | None = None,
        route: str = "predict",
        production: Mapping[str, Any] | None = None,
        shadow: Mapping[str, Any] | None = None,
        twin: Mapping[str, Any] | None = None,
        comparison: Mapping[str, Any] | None = None,
        noise: Mapping[str, Any] | None = None,
        times: int = 1,
        **more: Any,
    ) -> str:
        """Append `times` pairs alike; returns the last one's pair id. `more` replaces keys of the line."""
        pair_id = ""
        for _ in range(times):
            self._seq += 1
            pair_id = f"01900000-0000-7000-8000-{self._seq:012d}"
            when = (self._seq - 1) * self.every_s if at is None else at
            line = {
                "v": 1,
                "kind": "pair",
                "pair_id": pair_id,
                "id": f"request-{self._seq}",
                "key": f"request-{self._seq}",
                "ts": stamp(when),
                "src": [0, 1772373600000, self._seq],
                "trial": trial,
                "origin": "live",
                "route": route,
                "protocol": "",
                "candidate": candidate,
                "answered_by": self.production,
                "warmup": False,
                "slices": {},
                "request": {
                    "method": "POST",
                    "target": "/predict",
                    "headers": [["Content-Type", "application/json"]],
                    "body": '{"x": 1}',
                    "body_encoding": "utf8",
                    "body_bytes": 8,
                    "body_truncated": False,
                },
                "production": _named(production or answer(), self.production),
                "shadow": _named(shadow or answer(), candidate),
                "twin": None if twin is None else _named(twin, "twin"),
                "comparison": dict(comparison or compared()),
                "noise": noise if noise is not None else (noiseless() if twin else None),
                **more,
            }
            self.pairs.append(json.dumps(line))
        return pair_id

    def ledger(self, *, candidate: str | None = "v2", trial: str | None = TRIAL, at: float = 60.0, **more: Any) -> None:
        self.ledgers.append(
            json.dumps(
                {
                    "v": 1,
                    "kind": "ledger",
                    "ts": stamp(at),
                    "worker": 0,
                    "boot": 1772373600000,
                    "trial": trial,
                    "candidate": candidate,
                    "route": "predict",
                    "requests": more.get("eligible", 0),
                    "unmatched": 0,
                    "excluded": {},
                    "eligible": 0,
                    "sampled_out": 0,
                    "dropped": {},
                    "sent": 0,
                    "in_flight": 0,
                    "finished": {},
                    "logged": 0,
                    "unlogged": {},
                    **more,
                }
            )
        )

    def write(self, name: str = "1", torn: str = "") -> Path:
        """Write what was appended; `torn` is put behind the last pair without a newline. Returns the directory."""
        self.root.mkdir(parents=True, exist_ok=True)
        lines = "".join(line + "\n" for line in self.pairs)
        (self.root / f"pairs-{name}.jsonl").write_text(lines + torn, encoding="utf-8")
        if self.ledgers:
            (self.root / f"ledger-{name}.jsonl").write_text(
                "".join(line + "\n" for line in self.ledgers), encoding="utf-8"
            )
        return self.root


def _named(exchange: Mapping[str, Any], upstream: str) -> dict[str, Any]:
    return {**exchange, "upstream": exchange["upstream"] or upstream}
