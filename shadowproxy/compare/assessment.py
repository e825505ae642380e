"""One answer by itself: its value, whether it is bad, and what it decided.

why            the exchange is bad because
outcome        it ended in anything but a whole answer (the client's leaving excepted)
failed         status >= 500, 408 or 429
refused        another 4xx
unparsable     a 2xx declares JSON and is none
error          a 2xx carries its protocol's error
no_prediction  a 2xx has nothing where the prediction should be
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shadowproxy.compare.answer import Answer
from shadowproxy.compare.lift import EMPTY, Form, Lifted, lift
from shadowproxy.compare.media import Media, media_of
from shadowproxy.compare.prediction import UNKNOWN, Decision, decide
from shadowproxy.compare.presets import AUTO, NONE, recognise
from shadowproxy.compare.rules import Plan, Rules

WHY: Final = ("outcome", "failed", "refused", "unparsable", "error", "no_prediction")
# Why an answer cannot be compared; the first that applies. `too_long` ones are still compared for equal bytes.
UNFIT: Final = ("incomplete", "bad", "truncated", "not_kept", "unparsed", "too_long")

_FAILED = frozenset({408, 429})
_WITHOUT_BODY = frozenset({204, 205, 304})


class Assessed(msgspec.Struct, frozen=True):
    answer: Answer
    protocol: str  # the preset that the answer follows, "" for none
    headers: tuple[str | None, ...]  # values of the compared headers, normal form, in the order of `Rules.headers`
    lifted: Lifted
    decision: Decision
    bad: bool
    why: str  # one of WHY, "" when not bad
    unfit: str  # one of UNFIT, "" when it can be compared


def protocol_of(rules: Rules, method: str, target: str) -> str:
    """The name of the preset in force for a request, "" where there is none."""
    if rules.protocol == AUTO:
        preset = recognise(method, target)
        return preset.name if preset is not None else ""
    return "" if rules.protocol == NONE else rules.protocol


def assess(rules: Rules, method: str, target: str, answer: Answer, like: Assessed | None = None) -> Assessed:
    """What one answer says. With `like`, an answer assessed for the same request, equal bytes are not read twice."""
    content_type = answer.header("content-type")
    media = media_of(content_type)
    # The content type is at hand already; others are rarely compared.
    headers = tuple(
        media.normal if name == "content-type" and content_type is not None else answer.header(name)
        for name in rules.headers
    )
    if like is not None and _is_alike(answer, like.answer, content_type):
        return msgspec.structs.replace(like, answer=answer, headers=headers)
    lifted, hindrance = _lifted(rules, method, answer, media)
    plan = _plan(rules, method, target, lifted)
    decision, why = _judged(plan, answer, lifted, method, hindrance)
    unfit = _unfit(answer, lifted, why, hindrance)
    return Assessed(answer, plan.protocol, headers, lifted, decision, why != "", why, unfit)


def _is_alike(answer: Answer, other: Answer, content_type: str | None) -> bool:
    return (
        answer.body == other.body
        and answer.status == other.status
        and answer.complete == other.complete
        and answer.truncated == other.truncated
        and answer.aborted == other.aborted
        and content_type == other.header("content-type")
    )


def _lifted(rules: Rules, method: str, answer: Answer, media: Media) -> tuple[Lifted, str]:
    """The value, and why there is none ("" where there is one)."""
    if not answer.complete:
        return EMPTY, "incomplete"
    if answer.body is None:
        return EMPTY, "not_kept"
    if answer.truncated:
        return EMPTY, "truncated"
    if not answer.body:
        may_be_empty = method == "HEAD" or answer.status in _WITHOUT_BODY
        return (EMPTY, "") if may_be_empty or not media.is_json else (_BROKEN, "unparsed")
    if len(answer.body) > rules.up_to:
        return EMPTY, "too_long"
    lifted = lift(answer.body, media)
    return lifted, "unparsed" if lifted.broken else ""


_BROKEN: Final = Lifted(Form.EMPTY, broken=True)


def _plan(rules: Rules, method: str, target: str, lifted: Lifted) -> Plan:
    plan = rules.plans[protocol_of(rules, method, target)]
    if rules.protocol == AUTO and plan.protocol and not _has_shape(plan, lifted):
        return rules.plans[""]
    return plan


def _has_shape(plan: Plan, lifted: Lifted) -> bool:
    value = lifted.value
    if not isinstance(value, dict):
        return False
    return all(name in value for name in plan.shape) or (plan.error is not None and plan.error in value)


def _judged(plan: Plan, answer: Answer, lifted: Lifted, method: str, hindrance: str) -> tuple[Decision, str]:
    """(the decision, why the exchange is bad). Bodies are judged only where the status says that all went well."""
    if not answer.complete:
        return UNKNOWN, "" if answer.aborted else "outcome"
    status = answer.status
    if status >= 500 or status in _FAILED:
        return UNKNOWN, "failed"
    if status >= 400:
        return UNKNOWN, "refused"
    if not 200 <= status < 300 or method == "HEAD":
        return UNKNOWN, ""
    if lifted.broken:
        return UNKNOWN, "unparsable"
    if hindrance:
        return UNKNOWN, ""
    if _carries_error(plan, lifted.value):
        return UNKNOWN, "error"
    decision = _decision(plan, lifted)
    return decision, "" if decision.found else "no_prediction"


def _carries_error(plan: Plan, value: Any) -> bool:
    return plan.error is not None and isinstance(value, dict) and value.get(plan.error) is not None


def _decision(plan: Plan, lifted: Lifted) -> Decision:
    if lifted.form is Form.BYTES or lifted.form is Form.EMPTY:
        # Opaque bytes and nothing at all have no place that a path could name.
        return UNKNOWN if plan.prediction.at is None and not plan.shape else _NOTHING
    if plan.shape and not _has_shape(plan, lifted):
        return _NOTHING
    return decide(plan.prediction, lifted.value)


_NOTHING: Final = Decision(found=False)


def _unfit(answer: Answer, lifted: Lifted, why: str, hindrance: str) -> str:
    if hindrance == "incomplete" or not why:
        return hindrance
    return "bad"
