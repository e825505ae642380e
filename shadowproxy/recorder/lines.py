"""A pair's frame becomes its lines: one for each candidate that was sent a copy.

The steps, in the order that keeps secrets off the disk: take the coding off, lift, compare what was really answered,
redact, and write down what the redacted documents say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

import orjson

from shadowproxy.compare import compare
from shadowproxy.core.outcome import TIMEOUT
from shadowproxy.pairlog.body import NO_BODY, StoredBody
from shadowproxy.pairlog.record import (
    LIVE,
    Head,
    comparison_record,
    pair_line,
    request_rest,
    timestamp,
    whole,
)
from shadowproxy.recorder import heads
from shadowproxy.recorder.coding import Decoded, decode
from shadowproxy.recorder.extract import Source, key_text, slice_text
from shadowproxy.recorder.plan import Plan, RoutePlan
from shadowproxy.recorder.redact import Redacted
from shadowproxy.recorder.side import Side, dropped_record, stored_body
from shadowproxy.settings.snapshot import Candidate
from shadowproxy.wire import frames

# The copy's timeout where the settings say `auto` (CONTRACT.md §2).
AUTO_LEAST_S: Final = 5.0
AUTO_FACTOR: Final = 3
AUTO_MOST_S: Final = 600.0

SHADOW, TWIN = "shadow", "twin"
_SAME: Final = "same"


class Line(NamedTuple):
    candidate: str
    data: bytes
    result: str
    agrees: bool | None


def _is_sent_candidate(exchange: frames.Exchange) -> bool:
    return exchange.role >= frames.FIRST_CANDIDATE and exchange.outcome != 0


def lines_of(
    plan: Plan, pair: frames.Pair, src: tuple[int, int, int], next_id: Callable[[], str], have: Collection[str] = ()
) -> list[Line]:
    """The lines of a pair but for the candidates in `have`. IndexError for a pair that names what is not there."""
    wanted = [
        exchange
        for exchange in pair.exchanges
        if _is_sent_candidate(exchange)
        and plan.snapshot.candidates[exchange.role - frames.FIRST_CANDIDATE].name not in have
    ]
    if not wanted:
        return []
    page = _Page(plan, pair, src)
    return [page.line(exchange, next_id()) for exchange in wanted]


class _Page:
    """What the lines of one pair share."""

    __slots__ = (
        "_parts", "_sides", "decoded", "head", "noise", "pair", "plan", "production", "request", "route", "shown",
        "twin", "twin_exchange",
    )  # fmt: skip

    def __init__(self, plan: Plan, pair: frames.Pair, src: tuple[int, int, int]) -> None:
        self.plan = plan
        self.pair = pair
        self.route: RoutePlan = plan.routes[pair.route]
        self.request = plan.requests[pair.head]
        self.decoded = self._decoded()
        self.shown: Redacted | None = None
        if plan.redactor.covers_bodies or self.route.of_request:
            self.shown = plan.redactor.body(self.decoded.body, self.decoded.truncated)
        self.production = Side(plan, self.route, self.request.line, pair.exchanges[0])
        self._sides: dict[int, Side] = {frames.PRODUCTION: self.production}
        self._parts: dict[bool, tuple[orjson.Fragment, orjson.Fragment, Any]] = {}
        self.twin: Side | None = None
        self.twin_exchange: frames.Exchange | None = None
        self.noise: dict[str, Any] | None = None
        for exchange in pair.exchanges:
            if exchange.role == frames.TWIN:
                self._take_twin(exchange)
                break
        self.head = self._head(src)

    def _take_twin(self, exchange: frames.Exchange) -> None:
        self.twin_exchange = exchange
        if exchange.outcome:
            self.twin = Side(self.plan, self.route, self.request.line, exchange, self.production)
            if self.plan.snapshot.twin is not None:
                self.noise = self._compared(self.twin, TWIN, self.plan.snapshot.twin)

    def _decoded(self) -> Decoded:
        body = bytes(self.pair.body)
        truncated = bool(self.pair.flags & frames.REQUEST_TRUNCATED)
        coding = self.request.coding
        return decode(body, coding, self.plan.decode_up_to, truncated) if coding else Decoded(body, truncated)

    def side(self, exchange: frames.Exchange) -> Side:
        side = self._sides.get(exchange.role)
        if side is None:
            side = Side(self.plan, self.route, self.request.line, exchange, self.production)
            self._sides[exchange.role] = side
        return side

    def _head(self, src: tuple[int, int, int]) -> Head:
        pair, route = self.pair, self.route
        id_ = heads.text(pair.id)
        key: str | None = id_
        slices: dict[str, str | None] = {}
        if not route.is_plain:
            source = Source(
                id_,
                self.request.fields,
                self.shown.value if self.shown is not None else None,
                self._answer_value() if route.of_answer else None,
            )
            key = route.key.find(source)
            slices = {name: slice_text(extractor.find(source)) for name, extractor in route.slices}
        # By position: by name it takes twice as long.
        return Head(
            id_,
            key_text(key),
            timestamp(pair.arrival_us),
            src,
            LIVE,
            route.name,
            self.production.assessed.protocol,
            self.plan.upstreams[pair.answered_by][0],
            bool(pair.flags & frames.WARMUP),
            slices,
        )

    def _answer_value(self) -> Any:
        """Of the answer that the client got: what it can be asked about later."""
        for exchange in self.pair.exchanges:
            if exchange.role == self.pair.answered_by and exchange.outcome:
                return self.side(exchange).value
        return None

    def _compared(self, other: Side, key: str, settings: Candidate) -> dict[str, Any]:
        rules, production = self.route.rules, self.production
        record = compare(rules, production.assessed, other.assessed, key).as_dict(key)
        if self.plan.redactor.covers_bodies:
            _show(record, compare(rules, production.shown_assessed, other.shown_assessed, key).as_dict(key))
        for difference in record["differences"]:
            self._hide_header(difference, key)
        before, after = production.latency_ms, other.latency_ms
        slower = None if before is None or after is None else round(after - before, 3)
        return comparison_record(record, key, slower, _is_censored(production.exchange, other.exchange, settings))

    def _hide_header(self, difference: dict[str, Any], key: str) -> None:
        """A field may be compared without being stored."""
        if difference["kind"] != "header":
            return
        if difference["path"].partition(":")[2].lower() in self.plan.headers:
            return
        for side in ("production", key):
            if difference[side] is not None:
                difference[side] = self.plan.redactor.token(difference[side])

    def line(self, exchange: frames.Exchange, pair_id: str) -> Line:
        plan = self.plan
        candidate = plan.snapshot.candidates[exchange.role - frames.FIRST_CANDIDATE]
        shadow = self.side(exchange)
        comparison = self._compared(shadow, SHADOW, candidate)
        result = comparison["result"]
        head = self.head._replace(warmup=True) if exchange.flags & frames.WARMING else self.head
        with_bodies = plan.bodies == "all" or (plan.bodies == "different" and result != _SAME)
        parts = self._parts.get(with_bodies)
        if parts is None:
            parts = self._parts[with_bodies] = self._shared(with_bodies)
        data = pair_line(
            pair_id,
            head,
            candidate.trial,
            candidate.name,
            parts[0],
            parts[1],
            shadow.fragment(with_bodies),
            parts[2],
            comparison,
            self.noise,
        )
        return Line(candidate.name, data, result, comparison["agrees"])

    def _shared(self, with_bodies: bool) -> tuple[orjson.Fragment, orjson.Fragment, Any]:
        """Request, production and twin: serialised once, however many lines show them."""
        body = self._request_body() if with_bodies else NO_BODY
        request = whole(self.request.front, request_rest(body, self.pair.body_bytes))
        return request, self.production.fragment(with_bodies), self._twin(with_bodies)

    def _twin(self, with_bodies: bool) -> Any:
        if self.twin is not None:
            return self.twin.fragment(with_bodies)
        if self.twin_exchange is not None and self.twin_exchange.dropped:
            return dropped_record(self.twin_exchange, self.plan.upstreams[frames.TWIN])
        return None

    def _request_body(self) -> StoredBody:
        plan, pair = self.plan, self.pair
        shown = self.shown if plan.redactor.covers_bodies else None
        truncated = bool(pair.flags & frames.REQUEST_TRUNCATED)
        return stored_body(bytes(pair.body), self.decoded, shown, plan.store_up_to, truncated)


def _show(record: dict[str, Any], shown: dict[str, Any]) -> None:
    """Put what the redacted documents say in the place of what the real ones say.

    Of the differences between redacted documents only those stay that stand for a real one: hashes of numbers that
    are equal within the tolerance differ as well.
    """
    real = [difference["path"] for difference in record["differences"]]
    record["differences"] = [
        difference
        for difference in shown["differences"]
        if any(path == difference["path"] or path.startswith(_below(difference["path"])) for path in real)
    ]
    for name in ("production_prediction", "shadow_prediction"):
        record[name] = shown[name]


def _below(path: str) -> tuple[str, str]:
    return f"{path}.", f"{path}["


def _is_censored(production: frames.Exchange, copy: frames.Exchange, settings: Candidate) -> bool:
    """The copy ran out of time, and production itself needed at least as long as the copy was given."""
    if copy.outcome != TIMEOUT or production.total < 0:
        return False
    took_s = production.total / 1e9
    timeout_s = settings.timeout
    if timeout_s is None:
        timeout_s = min(AUTO_MOST_S, max(AUTO_LEAST_S, AUTO_FACTOR * took_s))
    return took_s >= timeout_s
