"""One exchange of a pair, with what was made of it: each step is taken at most once, however many lines show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from shadowproxy.compare import Answer, Assessed, assess
from shadowproxy.compare.lift import Form
from shadowproxy.core.outcome import CLIENT_ABORTED, COMPLETE, DROPPED, OUTCOMES
from shadowproxy.pairlog.body import NO_BODY, WITHHELD_BODY, StoredBody, stored
from shadowproxy.pairlog.record import ExchangeRecord, Stream, Timing, exchange_record, fragment, latency_ms
from shadowproxy.recorder import heads
from shadowproxy.recorder.coding import Decoded, decode
from shadowproxy.recorder.heads import Field
from shadowproxy.recorder.plan import Plan, RoutePlan
from shadowproxy.recorder.redact import EMPTY, Redacted
from shadowproxy.recorder.stream import stream_of
from shadowproxy.wire import frames


def stored_fields(fields: Sequence[Field], allowed: frozenset[str]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields if field.key in allowed]


def stored_body(raw: bytes, decoded: Decoded, shown: Redacted | None, limit: int, raw_truncated: bool) -> StoredBody:
    """`shown` is what redaction left, None where it covers no bodies."""
    if shown is not None:
        return WITHHELD_BODY if shown.body is None else stored(shown.body, limit)
    if decoded.body is None:
        return stored(raw, limit, raw_truncated, opaque=True)
    return stored(decoded.body, limit, decoded.truncated)


class Side:
    """`like` is production's side, for answers that are equal to it byte for byte."""

    __slots__ = (
        "_fragments", "_raw", "answer", "assessed", "decoded", "exchange", "head", "plan", "shown",
        "shown_assessed", "timing", "upstream", "version",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        route: RoutePlan,
        request: tuple[str, str],
        exchange: frames.Exchange,
        named: tuple[str, str],
        like: Side | None = None,
    ) -> None:
        """`request` is (method, target), `named` the upstream's name and version."""
        self.plan = plan
        self.exchange = exchange
        self.upstream, self.version = named
        self._fragments: dict[bool, orjson.Fragment] = {}
        self.timing = Timing(
            exchange.start, exchange.connect, exchange.sent, exchange.first_byte, exchange.total, exchange.stalled
        )
        self.head = head = route.heads[exchange.head]
        self._raw = exchange.body if isinstance(exchange.body, bytes) else bytes(exchange.body)
        truncated = bool(exchange.flags & frames.BODY_TRUNCATED)
        if head.coding and self._raw:
            self.decoded = decode(self._raw, head.coding, plan.decode_up_to, truncated)
        else:
            self.decoded = Decoded(self._raw, truncated)
        self.answer = Answer(
            exchange.outcome == COMPLETE,
            exchange.status,
            head.compared,
            self.decoded.body,
            self.decoded.truncated,
            exchange.outcome == CLIENT_ABORTED,
        )
        self.assessed: Assessed = assess(route.rules, *request, self.answer, like.assessed if like else None)
        self.shown: Redacted | None = None
        self.shown_assessed: Assessed = self.assessed
        if plan.redactor.covers_bodies:
            self._redact(route, request, like)

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

    @property
    def latency_ms(self) -> float | None:
        """None where no whole answer came."""
        return latency_ms(self.timing) if self.exchange.outcome == COMPLETE else None

    def record(self, with_body: bool) -> dict[str, Any]:
        exchange = self.exchange
        record = ExchangeRecord(
            self.upstream,
            self.version,
            OUTCOMES[exchange.outcome],
            None,
            heads.text(exchange.error) or None if exchange.error else None,
            self.assessed.bad,
            exchange.status or None,
            self.head.stored,
            exchange.body_bytes,
            self.timing,
            self._stream() if exchange.arrivals else None,
        )
        if not with_body or exchange.status == 0:
            return exchange_record(record, NO_BODY)
        truncated = bool(exchange.flags & frames.BODY_TRUNCATED)
        body = stored_body(self._raw, self.decoded, self.shown, self.plan.store_up_to, truncated)
        return exchange_record(record, body)

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

    def fragment(self, with_body: bool) -> orjson.Fragment:
        made = self._fragments.get(with_body)
        if made is None:
            made = self._fragments[with_body] = fragment(self.record(with_body))
        return made


def dropped_record(exchange: frames.Exchange, named: tuple[str, str]) -> dict[str, Any]:
    """An exchange that never was: a copy that was wanted and not sent."""
    return exchange_record(
        ExchangeRecord(*named, None, DROPPED[exchange.dropped], None, False, None, (), 0, None, None), NO_BODY
    )
