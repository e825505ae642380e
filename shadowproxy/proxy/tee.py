"""The tee: which copies leave, decided in one turn, and the pair that comes of them.

Law: each request adds exactly one to every ledger row of its route (excluded, unmatched, sampled_out, dropped or sent),
and each leg that was sent reaches the recorder within one pair, or is counted as lost.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from shadowproxy.core import outcome as o
from shadowproxy.proxy.mirror import Leg
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.proxy.exchange import Exchange
    from shadowproxy.proxy.runtime import Entry


def decide(exchange: Exchange, drop_reason: int) -> None:
    """`drop_reason`: why no copy of this request can be made, 0 where one can."""
    route = exchange.route
    if route.number == frames.NO_ROUTE:
        for row in route.rows():
            row.unmatched += 1
        return
    if exchange.refused:
        for row in route.rows():
            row.exclude(exchange.refused)
        return
    if not route.candidates:
        return
    reason = drop_reason or exchange.worker.shedding()
    legs = exchange.legs
    due = False
    for entry in route.candidates:
        if _is_due(exchange, entry):
            due = True
            _offer(exchange, entry, reason)
    if route.twin is not None:
        _offer_twin(exchange, route.twin, reason, due, bool(legs))
    if not legs:
        return
    exchange.left = len(legs)
    if len(legs) > 1:
        random.shuffle(legs)
    # A leg may end within its start, when a connection breaks at once: `left` is set before any starts.
    for leg in legs.copy():
        if leg.mirror.settings.send == "after_production" and not exchange.done:
            exchange.waiting_legs.append(leg)
        else:
            leg.start()


def _is_due(exchange: Exchange, entry: Entry) -> bool:
    """Whether this candidate should have a copy; where not, its row says why."""
    row = entry.row
    if not entry.member:
        row.unmatched += 1
    elif entry.settings.paused:
        row.exclude(o.EXCLUDED_PAUSED)
    elif not entry.is_due(exchange):
        row.sampled_out += 1
    else:
        return True
    return False


def _offer(exchange: Exchange, entry: Entry, reason: int) -> int:
    """Take the copy or count why not; answers with the reason, 0 when it was taken."""
    mirror = entry.mirror
    body = exchange.body
    if not reason and exchange.runtime.copies[mirror.settings.name].rewrites_body:
        reason = 0 if exchange.runtime.copies[mirror.settings.name].body(body or b"") is not None else o.REWRITE_FAILED
    reason = reason or mirror.refusal(exchange.body_bytes)
    if reason:
        entry.row.dropped[reason] += 1
    else:
        entry.row.sent += 1
        exchange.legs.append(Leg(mirror, exchange, entry.role, entry.row))
    return reason


def _offer_twin(exchange: Exchange, twin: Entry, reason: int, due: bool, some_sent: bool) -> None:
    """The twin gets a copy exactly when some candidate does."""
    if not twin.member:
        twin.row.unmatched += 1
    elif some_sent:
        exchange.twin_dropped = _offer(exchange, twin, 0)
    elif due and reason:
        twin.row.dropped[reason] += 1
    else:
        twin.row.sampled_out += 1


def record(exchange: Exchange) -> None:
    """Production and all legs have ended: hand the pair to the recorder and give back what was held for it."""
    legs = exchange.legs
    sides = [_production(exchange)]
    fates = []
    for leg in legs:
        fates.append((leg.row, leg.outcome))
        sides.append(_side(leg, exchange.arrival_ns))
    if exchange.twin_dropped:
        sides.append(_dropped(frames.TWIN, exchange.twin_dropped))
    body = exchange.body
    pair = frames.Pair(
        exchange.runtime.generation,
        exchange.route.number,
        exchange.worker.flags(exchange),
        frames.PRODUCTION,
        exchange.arrival_us,
        exchange.request_id,
        exchange.head.raw,
        body if body is not None else b"",
        exchange.body_bytes,
        tuple(sides),
    )
    # What was held for the pair is given back first: the frame takes its own share of the same budget.
    exchange.release_cost()
    for leg in legs:
        leg.give_back()
    exchange.worker.recording.offer(pair, fates)


def _production(exchange: Exchange) -> frames.Exchange:
    flags = frames.BODY_TRUNCATED if exchange.answer_truncated else 0
    if exchange.answer_close_delimited:
        flags |= frames.CLOSE_DELIMITED
    return frames.Exchange(
        frames.PRODUCTION,
        exchange.outcome,
        0,
        flags,
        exchange.status,
        exchange.start_ns - exchange.arrival_ns,
        exchange.connect_ns,
        exchange.sent_ns,
        exchange.first_byte_ns,
        exchange.total_ns,
        exchange.stalled_ns,
        exchange.answer_head,
        exchange.answer_body,
        exchange.answer_bytes,
        exchange.error.encode()[: frames.MAX_ERROR],
        b"".join(exchange.arrivals),
    )


def _side(leg: Leg, arrival_ns: int) -> frames.Exchange:
    return frames.Exchange(
        leg.role,
        leg.outcome,
        0,
        frames.BODY_TRUNCATED if leg.truncated else 0,
        leg.status,
        leg.start_ns - arrival_ns,
        leg.connect_ns,
        leg.sent_ns,
        leg.first_byte_ns,
        leg.total_ns,
        0,
        leg.head,
        leg.body,
        leg.body_bytes,
        leg.error.encode()[: frames.MAX_ERROR],
        b"".join(leg.arrivals),
    )


def _dropped(role: int, reason: int) -> frames.Exchange:
    unknown = frames.UNKNOWN
    return frames.Exchange(
        role, 0, reason, 0, 0, unknown, unknown, unknown, unknown, unknown, unknown, b"", b"", 0, b""
    )
