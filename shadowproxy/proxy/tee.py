"""The tee: which copies leave, decided in one turn, and the pair that comes of them.

Law: each request adds exactly one to every ledger row of its route (excluded, unmatched, sampled_out, dropped or sent),
and each leg that was sent reaches the recorder within one pair, or is counted as lost.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from shadowproxy.core import outcome as o
from shadowproxy.core.budget import OVERHEAD
from shadowproxy.proxy.leg import ANSWER_RESERVE, Leg
from shadowproxy.wire import frames

if TYPE_CHECKING:
    from shadowproxy.core.ledger import Row
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
        if route.twin is not None:
            route.twin.row.unmatched += 1
        return
    leaves_behind = exchange.plan.leaves_behind
    if leaves_behind is not None and route.is_guarded and leaves_behind(exchange.body or b""):
        for row in route.rows():
            row.exclude(o.EXCLUDED_STATEFUL)
        return
    reason = drop_reason or exchange.worker.shedding()
    legs = exchange.legs
    due = False
    for entry in route.candidates:
        if entry.is_always_due or _is_due(exchange, entry):
            due = True
            _offer(exchange, entry, reason)
    if route.twin is not None:
        _offer_twin(exchange, route.twin, reason, due, bool(legs))
    if not legs:
        return
    if not exchange.reserve(ANSWER_RESERVE * (len(legs) + 1) + exchange.unreserved):
        _take_back(exchange)
        return
    exchange.left = len(legs)
    if exchange.left > 1:
        random.shuffle(legs)
    # A leg may end within its start, when a connection breaks at once: `left` is set before any starts.
    for leg in legs.copy() if exchange.left > 1 else legs:
        if leg.mirror.waits and not exchange.done:
            exchange.waiting_legs.append(leg)
        else:
            leg.start()


def _take_back(exchange: Exchange) -> None:
    """The budget is used up: what was about to be sent is not."""
    for leg in exchange.legs:
        leg.mirror.unused()
        leg.entry.row.sent -= 1
        leg.entry.row.dropped[o.BUFFER_FULL] += 1
    exchange.legs.clear()


def _is_due(exchange: Exchange, entry: Entry) -> bool:
    """Whether this candidate should have a copy; where not, its row says why."""
    row = entry.row
    if not entry.member:
        row.unmatched += 1
    elif entry.paused:
        row.exclude(o.EXCLUDED_PAUSED)
    elif not entry.is_due(exchange):
        row.sampled_out += 1
    else:
        return True
    return False


def _offer(exchange: Exchange, entry: Entry, reason: int) -> int:
    """Take the copy or count why not; answers with the reason, 0 when it was taken."""
    mirror, plan = entry.mirror, entry.plan
    body: bytes | bytearray | None = exchange.body or b""
    reason = reason or mirror.refusal(exchange.body_bytes)
    if not reason and plan.rewrites_body:
        body = _rewritten(exchange, entry)
        if body is None:
            mirror.unused()
            reason = o.REWRITE_FAILED
    if reason or body is None:
        entry.row.dropped[reason] += 1
    else:
        entry.row.sent += 1
        exchange.legs.append(Leg(entry, exchange, body))
    return reason


def _rewritten(exchange: Exchange, entry: Entry) -> bytes | bytearray | None:
    """The body that this copy has for itself, which the budget pays for as it does for the client's."""
    body = entry.plan.body(exchange.body or b"")
    if body is not None:
        exchange.unreserved += len(body) + OVERHEAD
    return body


def _offer_twin(exchange: Exchange, twin: Entry, reason: int, due: bool, some_sent: bool) -> None:
    """Within its own sample the twin gets a copy exactly when some candidate does."""
    if not twin.member:
        twin.row.unmatched += 1
    elif twin.paused:
        twin.row.exclude(o.EXCLUDED_PAUSED)
    elif not (twin.is_always_due or twin.is_due(exchange)):
        twin.row.sampled_out += 1
    elif some_sent:
        exchange.twin_dropped = _offer(exchange, twin, 0)
    elif due and reason:
        twin.row.dropped[reason] += 1
    else:
        twin.row.sampled_out += 1


def record(exchange: Exchange) -> None:
    """Production and all legs have ended: hand the pair to the recorder and give back what was held for it."""
    arrival_ns = exchange.arrival_ns
    out: list[bytes | bytearray] = []
    size = pack_own(exchange, out, frames.PRODUCTION, 0)
    fates = []
    count = 1
    for leg in exchange.legs:
        fates.append((leg.entry.row, leg.outcome))
        size += leg.pack(out, arrival_ns)
        count += 1
    if exchange.twin_dropped:
        count += 1
        size += pack_dropped_twin(exchange, out)
    # What was held for the pair is given back first: the frame takes its own share of the same budget.
    exchange.release_cost()
    offer_frame(exchange, out, size, count, fates, frames.PRODUCTION)


def pack_own(exchange: Exchange, out: list[bytes | bytearray], role: int, flags: int) -> int:
    """Append the exchange whose answer the client got; returns its length."""
    head, body = exchange.answer_head, exchange.answer_body
    error = exchange.error.encode()[: frames.MAX_ERROR] if exchange.error else b""
    came = b"".join(exchange.arrivals) if exchange.arrivals else b""
    if exchange.answer_truncated:
        flags |= frames.BODY_TRUNCATED
    if exchange.answer_close_delimited:
        flags |= frames.CLOSE_DELIMITED
    n_head, n_body, n_error, n_came = len(head), len(body), len(error), len(came)
    first = frames.exchange_head(
        role,
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
        n_head,
        n_body,
        exchange.answer_bytes,
        n_error,
        n_came,
    )
    out += (first, head, body, error, came)
    return frames.EXCHANGE_BYTES + n_head + n_body + n_error + n_came


def pack_dropped_twin(exchange: Exchange, out: list[bytes | bytearray]) -> int:
    out.append(frames.exchange_head(frames.TWIN, 0, exchange.twin_dropped, 0, 0, *_NO_TIMES, 0, 0, 0, 0, 0))
    return frames.EXCHANGE_BYTES


def offer_frame(
    exchange: Exchange,
    out: list[bytes | bytearray],
    size: int,
    count: int,
    fates: list[tuple[Row, int]],
    answered_by: int,
) -> None:
    """`answered_by`: the role whose answer the client got."""
    body = exchange.body
    flags = 0
    if body is None:
        body, flags = b"", frames.REQUEST_TRUNCATED
    request_id, head = exchange.request_id, exchange.head.raw
    recording = exchange.worker.recording
    seq = recording.next_seq()
    generation = exchange.runtime.generation
    first = frames.pair_head(
        seq,
        size,
        count,
        generation,
        exchange.route.number,
        flags,
        answered_by,
        exchange.arrival_us,
        request_id,
        head,
        body,
        exchange.body_bytes,
    )
    size += len(first) + len(request_id) + len(head) + len(body)
    out[:0] = (first, request_id, head, body)
    recording.offer(seq, generation, out, size, fates)


_NO_TIMES = (frames.UNKNOWN,) * 6
