"""Two assessed answers side by side: the contract's `comparison`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import orjson

from shadowproxy.compare.assessment import UNFIT, Assessed
from shadowproxy.compare.diff import diff
from shadowproxy.compare.differences import MAX_KEPT, NOTHING, Difference, Found, Run, each
from shadowproxy.compare.excerpt import excerpt
from shadowproxy.compare.lift import Form, may_hold_booleans
from shadowproxy.compare.measures import measure, unchanged
from shadowproxy.compare.opaque import diff_opaque
from shadowproxy.compare.own import ScoredPair, items_of, scored
from shadowproxy.compare.prediction import agreement, unanimity
from shadowproxy.compare.rules import Plan, Rules

SAME: Final = "same"
DIFFERENT: Final = "different"
INCOMPARABLE: Final = "incomparable"

# Why a pair is incomparable: the side, production first, and what is the matter with it.
REASONS: Final = tuple(f"{side}_{unfit}" for side in ("production", "shadow", "twin") for unfit in UNFIT)


class Comparison(msgspec.Struct, frozen=True):
    result: str
    reason: str | None  # one of REASONS when incomparable, else None
    agrees: bool | None
    items: int
    items_disagreeing: int
    kept: tuple[Difference | Run, ...]
    differences_total: int
    metrics: dict[str, float]
    production_prediction: str | None
    shadow_prediction: str | None
    rules: str

    @property
    def differences(self) -> tuple[Difference, ...]:
        return each(self.kept)

    def as_dict(self, other_key: str = "shadow") -> dict[str, Any]:
        """The contract's keys, in its order; `other_key` names the other side inside differences."""
        return self._dict([one.as_dict(other_key) for one in self.differences])

    def as_record(self, other_key: str = "shadow") -> dict[str, Any]:
        """As `as_dict`, for orjson, which takes what is text already as it is."""
        return self._dict(
            [
                # `Difference.as_dict`, written out: a call for each takes as long as all the rest.
                {"path": one.path, "kind": one.kind, "production": one.production, other_key: one.other}
                if isinstance(one, Difference)
                else orjson.Fragment(one.text(other_key))
                for one in self.kept
            ]
        )

    def _dict(self, differences: list[Any]) -> dict[str, Any]:
        return {
            "result": self.result,
            "reason": self.reason,
            "agrees": self.agrees,
            "items": self.items,
            "items_disagreeing": self.items_disagreeing,
            "differences": differences,
            "differences_total": self.differences_total,
            "metrics": self.metrics,
            "production_prediction": self.production_prediction,
            "shadow_prediction": self.shadow_prediction,
            "rules": self.rules,
        }


def compare(rules: Rules, production: Assessed, other: Assessed, other_key: str = "shadow") -> Comparison:
    """Whether the answers, and the decisions in them, are the same. Never raises."""
    if other is production and not production.unfit:
        return _alike(rules, production, other_key)
    if (
        other.lifted is production.lifted
        and other.decision is production.decision
        and other.headers == production.headers
        and other.answer.status == production.answer.status
        and other.answer.body == production.answer.body
        and not production.unfit
        and not other.unfit
    ):
        return _alike(rules, production, other_key)
    plan = rules.plans[production.protocol]
    reason = _reason(production, other, other_key)
    heads = _heads(rules, production, other)
    if reason is not None:
        status = [difference for difference in heads if difference.kind == "status"]
        return _comparison(rules, production, other, other_key, reason, Found(tuple(status), len(status)))
    body = NOTHING if production.answer.body == other.answer.body else _body(rules, plan, production, other)
    found = body
    if heads:
        kept = (*heads, *body.differences)[:MAX_KEPT]
        found = Found(kept, len(heads) + body.total, body.nulls)
    return _comparison(rules, production, other, other_key, None, found)


def _alike(rules: Rules, production: Assessed, other_key: str) -> Comparison:
    """Of an answer that was read as its own likeness (`assess`, `like`): most pairs, so the short way."""
    prediction = rules.plans[production.protocol].prediction
    decision = production.decision
    agreed = unanimity(decision)
    metrics = unchanged(prediction, decision)
    if production.lifted.form is Form.JSON:
        nonfinite = production.lifted.nonfinite + decision.nonfinite + decision.nulls
        metrics = {"nonfinite_production": nonfinite, f"nonfinite_{other_key}": nonfinite, **metrics}
    if rules.scores:
        metrics = {**_own(rules, production, production), **metrics}
    text = decision.text
    return Comparison(SAME, None, agreed.agrees, agreed.items, 0, (), 0, metrics, text, text, rules.digest)


def _own(rules: Rules, production: Assessed, other: Assessed) -> dict[str, float]:
    return scored(
        rules.scores,
        ScoredPair(
            protocol=production.protocol,
            kind=production.decision.kind,
            production=items_of(production.decision),
            other=items_of(other.decision),
            production_answer=production.lifted.value,
            other_answer=other.lifted.value,
        ),
    )


def _reason(production: Assessed, other: Assessed, other_key: str) -> str | None:
    for side, assessed in (("production", production), (other_key, other)):
        unfit = assessed.unfit
        if unfit and not (unfit == "too_long" and production.answer.body == other.answer.body):
            return f"{side}_{unfit}"
    return None


def _heads(rules: Rules, production: Assessed, other: Assessed) -> list[Difference]:
    a, b = production.answer, other.answer
    if not (a.complete and b.complete):
        return []
    heads = []
    if a.status != b.status:
        heads.append(Difference("status", "status", a.status, b.status))
    if production.headers != other.headers:
        for name, x, y in zip(rules.headers, production.headers, other.headers, strict=True):
            if x != y:
                heads.append(Difference(f"header:{name}", "header", excerpt(x), excerpt(y)))
    return heads


def _body(rules: Rules, plan: Plan, production: Assessed, other: Assessed) -> Found:
    """The bytes differ."""
    if plan.place is not None and plan.place.ignored:
        return NOTHING
    a, b = production.lifted, other.lifted
    if a.form is Form.JSON and b.form is Form.JSON:
        booleans = may_hold_booleans(a, production.answer.body or b"") or may_hold_booleans(b, other.answer.body or b"")
        return diff(a.value, b.value, plan.place, rules.tolerance, booleans=booleans)
    return diff_opaque(a, b)


def _comparison(
    rules: Rules, production: Assessed, other: Assessed, other_key: str, reason: str | None, found: Found
) -> Comparison:
    prediction = rules.plans[production.protocol].prediction
    metrics: dict[str, float] = {}
    for side, assessed, nulls in zip(("production", other_key), (production, other), found.nulls, strict=True):
        if assessed.lifted.form is Form.JSON:
            decision = assessed.decision
            # The prediction's nulls may be among those that the walk saw, so the greater number counts.
            nulls = nulls if nulls > decision.nulls else decision.nulls
            metrics[f"nonfinite_{side}"] = assessed.lifted.nonfinite + decision.nonfinite + nulls
    agrees, items, disagreeing = None, 0, 0
    a, b = production.decision, other.decision
    if reason is None:
        agreed = agreement(prediction, a, b, not found.total)
        agrees, items, disagreeing = agreed.agrees, agreed.items, agreed.disagreeing
        metrics.update(measure(prediction, a, b))
        if rules.scores:
            metrics = {**_own(rules, production, other), **metrics}
    return Comparison(
        INCOMPARABLE if reason else DIFFERENT if found.total else SAME,
        reason,
        agrees,
        items,
        disagreeing,
        found.kept,
        found.total,
        metrics,
        a.text,
        b.text,
        rules.digest,
    )
