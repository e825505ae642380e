"""A pair's frame becomes its lines: one for each candidate that was sent a copy.

The steps, in the order that keeps secrets off the disk: take the coding off, lift, compare what was really answered,
redact, and write down what the redacted documents say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

from shadowproxy.compare import Comparison, compare
from shadowproxy.core.outcome import TIMEOUT
from shadowproxy.pairlog.body import NO_BODY, StoredBody
from shadowproxy.pairlog.record import (
    LIVE,
    NULL,
    comparison_record,
    comparison_rest,
    encode,
    pair_middle,
    pair_text,
    request_rest,
    timestamp,
    whole,
)
from shadowproxy.recorder import heads
from shadowproxy.recorder.coding import Decoded, decode
from shadowproxy.recorder.extract import KEY_CHARACTERS, Source, key_text, slice_text
from shadowproxy.recorder.plan import Plan
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
    trial: str


def lines_of(
    plan: Plan, pair: frames.Pair, src: tuple[int, int, int], next_id: Callable[[], str], have: Collection[str] = ()
) -> list[Line]:
    """The lines of a pair but for the candidates in `have`. IndexError for a pair that names what is not there."""
    first = frames.FIRST_CANDIDATE
    wanted = [exchange for exchange in pair.exchanges if exchange.role >= first and exchange.outcome]
    if have:
        names = plan.snapshot.candidates
        wanted = [exchange for exchange in wanted if names[exchange.role - first].name not in have]
    if not wanted:
        return []
    page = _Page(plan, pair, src)
    return [page.line(exchange, next_id()) for exchange in wanted]


class _Compared(NamedTuple):
    text: bytes
    result: str
    agrees: bool | None


class _Page:
    """What the lines of one pair share."""

    __slots__ = (
        "_parts", "_sides", "decoded", "id", "key", "noise", "pair", "plan", "production", "request", "route", "shown",
        "slices", "src", "ts", "twin", "twin_exchange",
    )  # fmt: skip

    def __init__(self, plan: Plan, pair: frames.Pair, src: tuple[int, int, int]) -> None:
        self.plan = plan
        self.pair = pair
        self.src = src
        self.ts = timestamp(pair.arrival_us)
        self.route = route = plan.routes[pair.route]
        self.request = request = plan.requests[pair.head]
        body = pair.body if pair.body.__class__ is bytes else bytes(pair.body)
        truncated = bool(pair.flags & frames.REQUEST_TRUNCATED)
        coding = request.coding
        self.decoded = decode(body, coding, plan.decode_up_to, truncated) if coding else Decoded(body, truncated)
        self.shown: Redacted | None = None
        if plan.redactor.covers_bodies or route.of_request:
            self.shown = plan.redactor.body(self.decoded.body, self.decoded.truncated)
        self.production = Side(plan, route, request.line, pair.exchanges[0])
        self._sides: dict[int, Side] = {}
        self._parts: dict[bool, tuple[bytes, bytes, bytes]] = {}
        self.twin: Side | None = None
        self.twin_exchange: frames.Exchange | None = None
        self.noise = NULL
        for exchange in pair.exchanges:
            if exchange.role == frames.TWIN:
                self._take_twin(exchange)
                break
        id_ = heads.text(pair.id)
        self.id = self.key = encode(id_)
        self.slices: dict[str, str | None] = {}
        if not route.is_plain or len(id_) > KEY_CHARACTERS:
            self._look_up(id_)

    def _take_twin(self, exchange: frames.Exchange) -> None:
        self.twin_exchange = exchange
        if exchange.outcome:
            self.twin = Side(self.plan, self.route, self.request.line, exchange, self.production)
            if self.plan.snapshot.twin is not None:
                self.noise = self._compared(self.twin, TWIN, self.plan.snapshot.twin).text

    def _look_up(self, id_: str) -> None:
        route = self.route
        source = Source(
            id_,
            self.request.fields,
            self.shown.value if self.shown is not None else None,
            self._answer_value() if route.of_answer else None,
        )
        self.key = encode(key_text(route.key.find(source)))
        self.slices = {name: slice_text(extractor.find(source)) for name, extractor in route.slices}

    def side(self, exchange: frames.Exchange) -> Side:
        """A candidate's."""
        side = self._sides.get(exchange.role)
        if side is None:
            side = Side(self.plan, self.route, self.request.line, exchange, self.production)
            self._sides[exchange.role] = side
        return side

    def _answer_value(self) -> Any:
        """Of the answer that the client got: what it can be asked about later."""
        answered_by = self.pair.answered_by
        if answered_by == frames.PRODUCTION and self.pair.exchanges[0].outcome:
            return self.production.value
        for exchange in self.pair.exchanges:
            if exchange.role == answered_by and exchange.outcome:
                return self.side(exchange).value
        return None

    def _compared(self, other: Side, key: str, settings: Candidate) -> _Compared:
        route, production = self.route, self.production
        before, after = production.latency_ms, other.latency_ms
        slower = None if before is None or after is None else round(after - before, 3)
        censored = _is_censored(production.exchange, other.exchange, settings)
        rules = route.rules
        if other.repeats is not None and not self.plan.redactor.covers_bodies:
            front, result, agrees = route.repeats.of(production.assessed, key)
            return _Compared(whole(front, comparison_rest(slower, censored, rules.digest)), result, agrees)
        comparison = compare(rules, production.assessed, other.assessed, key)
        if self.plan.redactor.covers_bodies or production.assessed.headers != other.assessed.headers:
            record = self._hidden(comparison, other, key)
        else:
            record = comparison.as_record(key)
        text = encode(comparison_record(record, key, slower, censored))
        return _Compared(text, comparison.result, comparison.agrees)

    def _hidden(self, comparison: Comparison, other: Side, key: str) -> dict[str, Any]:
        """What may be written of a comparison, where that is not all of it."""
        record = comparison.as_dict(key)
        if self.plan.redactor.covers_bodies:
            shown = compare(self.route.rules, self.production.shown_assessed, other.shown_assessed, key)
            _show(record, shown.as_dict(key))
        for difference in record["differences"]:
            self._hide_header(difference, key)
        return record

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
        role = exchange.role
        candidate = plan.snapshot.candidates[role - frames.FIRST_CANDIDATE]
        shadow = self.side(exchange)
        comparison, result, agrees = self._compared(shadow, SHADOW, candidate)
        with_bodies = plan.bodies == "all" or (plan.bodies == "different" and result != _SAME)
        parts = self._parts.get(with_bodies)
        if parts is None:
            parts = self._parts[with_bodies] = self._shared(with_bodies)
        request, production, twin = parts
        middle = self._middle(role, candidate, bool(exchange.flags & frames.WARMING))
        answer = shadow.text(with_bodies)
        data = pair_text(
            pair_id, self.id, self.key, self.ts, self.src, middle,
            request, production, answer, twin, comparison, self.noise,
        )  # fmt: skip
        return Line(candidate.name, data, result, agrees, candidate.trial)

    def _middle(self, role: int, candidate: Candidate, warming: bool) -> bytes:
        pair, route = self.pair, self.route
        protocol, answered_by = self.production.assessed.protocol, pair.answered_by
        warmup = warming or bool(pair.flags & frames.WARMUP)
        known = (role, protocol, answered_by, warmup)
        middle = None if self.slices else route.middles.get(known)
        if middle is None:
            by = self.plan.upstreams[answered_by][0]
            named = candidate.trial, LIVE, route.name, protocol, candidate.name, by
            middle = pair_middle(*named, warmup, self.slices)
            if not self.slices:
                route.middles[known] = middle
        return middle

    def _shared(self, with_bodies: bool) -> tuple[bytes, bytes, bytes]:
        """Request, production and twin: serialised once, however many lines show them."""
        body = self._request_body() if with_bodies else NO_BODY
        request = whole(self.request.front, request_rest(body, self.pair.body_bytes))
        return request, self.production.text(with_bodies), self._twin(with_bodies)

    def _twin(self, with_bodies: bool) -> bytes:
        if self.twin is not None:
            return self.twin.text(with_bodies)
        if self.twin_exchange is not None and self.twin_exchange.dropped:
            return encode(dropped_record(self.twin_exchange, self.plan.upstreams[frames.TWIN]))
        return NULL

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
