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
from shadowproxy.compare.binary import HEADER, header_length
from shadowproxy.compare.decision import NOT_FOUND, UNKNOWN, Decision
from shadowproxy.compare.lift import EMPTY, Form, Lifted, lift, lift_events, lift_tensors, with_vectors
from shadowproxy.compare.media import Media, media_of
from shadowproxy.compare.readers import decide
from shadowproxy.compare.rules import Plan, Rules
from shadowproxy.compare.streams.events import MEDIA_TYPE

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
    content_type: str | None


def assess(rules: Rules, method: str, target: str, answer: Answer, like: Assessed | None = None) -> Assessed:
    """What one answer says. With `like`, an answer assessed for the same request, equal bytes are not read twice."""
    if like is not None and like.answer is answer:
        return like
    content_type, media, headers = _headers(rules, answer)
    if like is not None and _is_alike(answer, like, content_type):
        return Assessed(
            answer, like.protocol, headers, like.lifted, like.decision, like.bad, like.why, like.unfit, content_type
        )
    plans = rules.plans_for(method, target)
    if like is not None and like.protocol:
        # Production's answer shows which protocol is spoken here: one without its members lacks the prediction.
        plans = rules.plans.named(like.protocol)
    lifted, hindrance = _lifted(rules, plans, method, answer, media)
    for plan in plans:  # where none fits, the last holds
        if plan.fits(lifted.value):
            break
    if plan.vectors is not None:
        lifted = with_vectors(lifted, plan.vectors)
    expected = like.decision.kind if like is not None and like.protocol == plan.protocol else ""
    decision, why = _judged(plan, answer, lifted, method, hindrance, expected)
    unfit = _unfit(answer, lifted, why, hindrance)
    return Assessed(answer, plan.protocol, headers, lifted, decision, why != "", why, unfit, content_type)


def _headers(rules: Rules, answer: Answer) -> tuple[str | None, Media, tuple[str | None, ...]]:
    """The content type, what it means, and the values of the compared headers in normal form."""
    known = rules.by_headers.get(answer.headers)
    if known is None:
        content_type = answer.header("content-type")
        media = media_of(content_type)
        compared = tuple(
            media.normal if name == "content-type" and content_type is not None else answer.header(name)
            for name in rules.headers
        )
        known = content_type, media, compared
        if len(rules.by_headers) >= _REMEMBERED:
            rules.by_headers.clear()
        rules.by_headers[answer.headers] = known
    return known


_REMEMBERED: Final = 256


def _is_alike(answer: Answer, like: Assessed, content_type: str | None) -> bool:
    other = like.answer
    return (
        answer.body == other.body
        and answer.status == other.status
        and answer.complete == other.complete
        and answer.truncated == other.truncated
        and answer.aborted == other.aborted
        and content_type == like.content_type
    )


def _lifted(rules: Rules, plans: tuple[Plan, ...], method: str, answer: Answer, media: Media) -> tuple[Lifted, str]:
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
    is_stream = media.essence == MEDIA_TYPE
    if len(answer.body) > rules.up_to * (_STREAMED if is_stream else 1):
        return EMPTY, "too_long"
    lifted = _value(plans, answer, answer.body, media, is_stream)
    return lifted, "unparsed" if lifted.broken else ""


def _value(plans: tuple[Plan, ...], answer: Answer, body: bytes, media: Media, is_stream: bool) -> Lifted:
    if is_stream:
        return lift_events(body, [plan.stream for plan in plans if plan.stream is not None])
    if not media.is_json or len(answer.headers) > 1:
        header_bytes = header_length(answer.header(HEADER), body)
        if header_bytes is not None:
            return lift_tensors(body, header_bytes)
    return lift(body, media)


_BROKEN: Final = Lifted(Form.EMPTY, broken=True)
# An event repeats names and ids for a few letters of text: so much longer may a stream be than the answer in it.
_STREAMED: Final = 8


def _judged(
    plan: Plan, answer: Answer, lifted: Lifted, method: str, hindrance: str, expected: str
) -> tuple[Decision, str]:
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
    if lifted.failed or _carries_error(plan, lifted.value):
        return UNKNOWN, "error"
    decision = _decision(plan, lifted, expected)
    return decision, "" if decision.found else "no_prediction"


def _carries_error(plan: Plan, value: Any) -> bool:
    return plan.error is not None and isinstance(value, dict) and value.get(plan.error) is not None


def _decision(plan: Plan, lifted: Lifted, expected: str) -> Decision:
    prediction = plan.prediction
    if lifted.form is Form.BYTES or lifted.form is Form.EMPTY:
        # Opaque bytes and nothing at all have no place that a path could name.
        nowhere = not prediction.at or prediction.reader == "guess"
        return UNKNOWN if nowhere and not (plan.is_named and plan.shape) else NOT_FOUND
    if plan.is_named and not plan.fits(lifted.value):
        return NOT_FOUND
    return decide(prediction, lifted.value, expected)


def _unfit(answer: Answer, lifted: Lifted, why: str, hindrance: str) -> str:
    if hindrance == "incomplete" or not why:
        return hindrance
    return "bad"
