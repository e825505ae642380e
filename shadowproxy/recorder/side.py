"""One exchange of a pair, with what was made of it: each step is taken at most once, however many lines show it."""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.compare import Answer, Assessed, assess
from shadowproxy.compare.lift import Form
from shadowproxy.core.outcome import CLIENT_ABORTED, COMPLETE, DROPPED, OUTCOMES
from shadowproxy.pairlog.body import NO_BODY, WITHHELD_BODY, StoredBody, stored
from shadowproxy.pairlog.record import (
    ExchangeRecord,
    Stream,
    encode,
    exchange_front,
    exchange_record,
    exchange_rest,
    opened,
    took_ms,
)
from shadowproxy.recorder import heads
from shadowproxy.recorder.coding import Decoded, decode
from shadowproxy.recorder.fingerprint import fingerprint
from shadowproxy.recorder.heads import AnswerHead
from shadowproxy.recorder.plan import Plan, RoutePlan
from shadowproxy.recorder.redact import EMPTY, Redacted
from shadowproxy.recorder.stream import stream_of
from shadowproxy.wire import frames

_REMEMBERED_FRONTS: Final = 64  # of one head


def stored_body(raw: bytes, decoded: Decoded, shown: Redacted | None, limit: int, raw_truncated: bool) -> StoredBody:
    """`shown` is what redaction left, None where it covers no bodies."""
    if shown is not None:
        return WITHHELD_BODY if shown.body is None else stored(shown.body, limit)
    if decoded.body is None:
        return stored(raw, limit, raw_truncated, opaque=True)
    return stored(decoded.body, limit, decoded.truncated)


class Side:
    """`like` is production's side: of an answer that repeats it nothing is made twice."""

    __slots__ = (
        "_body_bytes", "_raw", "_stored", "_times", "answer", "assessed", "decoded", "exchange", "head", "latency_ms",
        "plan", "repeats", "shown", "shown_assessed",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        route: RoutePlan,
        request: tuple[str, str],
        exchange: frames.Exchange,
        like: Side | None = None,
    ) -> None:
        """`request` is (method, target)."""
        # Taken apart at once: each look at a field by its name costs as much again.
        _, outcome, _, flags, status, start, connect, sent, first_byte, total, stalled, raw_head, body, size, _, _ = (
            exchange
        )
        self.plan = plan
        self.exchange = exchange
        self.head = head = route.heads[raw_head]
        self._raw = raw = body if body.__class__ is bytes else bytes(body)
        self._body_bytes = size
        self._times = (start, connect, sent, first_byte, total, stalled)
        # None where no whole answer came.
        self.latency_ms = took_ms(total, sent, stalled) if outcome == COMPLETE else None
        self._stored: StoredBody | None = None
        self.repeats: Side | None = None  # production's, where all that is said of its answer holds for this one
        self.decoded: Decoded
        self.answer: Answer
        self.assessed: Assessed
        self.shown: Redacted | None
        self.shown_assessed: Assessed
        if like is not None and raw == like._raw and like.is_repeated(outcome, flags, status, head):
            self.repeats = like
            self.decoded = like.decoded
            self.answer = like.answer
            self.shown = like.shown
            self.assessed = assess(route.rules, *request, like.answer, like.assessed)
            self.shown_assessed = like.shown_assessed
            return
        truncated = bool(flags & frames.BODY_TRUNCATED)
        if head.coding and raw:
            self.decoded = decode(raw, head.coding, plan.decode_up_to, truncated)
        else:
            self.decoded = Decoded(raw, truncated)
        self.answer = Answer(
            outcome == COMPLETE,
            status,
            head.compared,
            self.decoded.body,
            self.decoded.truncated,
            outcome == CLIENT_ABORTED,
        )
        self.assessed = assess(route.rules, *request, self.answer, like.assessed if like else None)
        self.shown = None
        self.shown_assessed = self.assessed
        if plan.redactor.covers_bodies:
            self._redact(route, request, like)

    def is_repeated(self, outcome: int, flags: int, status: int, head: AnswerHead) -> bool:
        """Whether an answer with the same body is one of which all is to be said that is said of this one."""
        mine = self.exchange
        return (
            outcome == mine.outcome
            and status == mine.status
            and (head is self.head or (head.compared == self.head.compared and head.coding == self.head.coding))
            and not (flags ^ mine.flags) & frames.BODY_TRUNCATED
        )

    def _redact(self, route: RoutePlan, request: tuple[str, str], like: Side | None) -> None:
        if like is not None and like.decoded == self.decoded:
            self.shown = like.shown
        elif self.exchange.status == 0:
            self.shown = EMPTY
        else:
            self.shown = self.plan.redactor.body(self.decoded.body, self.decoded.truncated)
        assert self.shown is not None
        answer = Answer(
            complete=self.answer.complete,
            status=self.answer.status,
            headers=self.answer.headers,
            body=self.shown.body,
            truncated=False,
            aborted=self.answer.aborted,
        )
        self.shown_assessed = assess(route.rules, *request, answer, like.shown_assessed if like else None)

    @property
    def value(self) -> Any:
        """The answer's JSON as it may be shown, None where there is none."""
        if self.shown is not None:
            return self.shown.value
        return self.assessed.lifted.value if self.assessed.lifted.form is Form.JSON else None

    def text(self, with_body: bool) -> bytes:
        """The exchange as it stands in a line."""
        exchange = self.exchange
        body = self._body() if with_body and exchange.status else NO_BODY
        stream = self._stream() if exchange.arrivals else None
        return self._front() + encode(exchange_rest(body, self._body_bytes, self._times, stream))[1:]

    def _front(self) -> bytes:
        exchange, bad = self.exchange, self.assessed.bad
        role, outcome, status, error = exchange.role, exchange.outcome, exchange.status, exchange.error
        said = fingerprint(self.head.server, self.value) if outcome == COMPLETE and not bad else None
        fronts = self.head.fronts
        front = None if error else fronts.get((role, outcome, status, bad, said))
        if front is None:
            named = self.plan.upstreams[role]
            why = heads.text(error) or None
            stored = self.head.stored
            front = opened(exchange_front(*named, OUTCOMES[outcome], None, why, bad, status or None, stored, said))
            if not error:
                if len(fronts) >= _REMEMBERED_FRONTS:
                    fronts.clear()
                fronts[role, outcome, status, bad, said] = front
        return front

    def _body(self) -> StoredBody:
        body = self._stored
        if body is None:
            if self.repeats is not None:
                body = self.repeats._body()
            else:
                truncated = bool(self.exchange.flags & frames.BODY_TRUNCATED)
                body = stored_body(self._raw, self.decoded, self.shown, self.plan.store_up_to, truncated)
            self._stored = body
        return body

    def _stream(self) -> Stream | None:
        content_type = heads.value_of(self.head.fields, "content-type")
        # Arrivals count bytes as they came: below a content coding nobody knows which event they ended.
        is_plain = self.decoded.body == self._raw
        return stream_of(
            frames.arrivals(self.exchange.arrivals),
            self._raw if is_plain else b"",
            content_type,
            self.assessed.lifted.stream if is_plain else None,
            has_length=heads.value_of(self.head.fields, "content-length") is not None,
        )


def dropped_record(exchange: frames.Exchange, named: tuple[str, str]) -> dict[str, Any]:
    """An exchange that never was: a copy that was wanted and not sent."""
    return exchange_record(
        ExchangeRecord(*named, None, DROPPED[exchange.dropped], None, False, None, (), 0, None, None), NO_BODY
    )
