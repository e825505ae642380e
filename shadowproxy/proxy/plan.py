"""What follows from a request's head alone, under one configuration: its route, whether it is copied, its new heads.

Law: a plan is shared by all requests with the same head, so nothing in it is of one request, one client or one moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shadowproxy.core import outcome as o

if TYPE_CHECKING:
    from shadowproxy.core.stateful import Holds
    from shadowproxy.http1.request import RequestHead
    from shadowproxy.proxy.runtime import RoutePlan


class RequestPlan:
    __slots__ = (
        "copies",
        "drop_reason",
        "head",
        "head_request",
        "keep",
        "leaves_behind",
        "refused",
        "request",
        "route",
    )

    def __init__(self, head: RequestHead, route: RoutePlan, request: bytes) -> None:
        self.head = head
        self.head_request = head.method == b"HEAD"
        self.route = route
        self.request = request  # production's head, up to the lines that the proxy adds
        self.refused = 0  # a reason of core.outcome.EXCLUDED: nothing is mirrored
        self.keep = -1  # how much of the body may be kept
        self.drop_reason = 0  # a reason of core.outcome.DROPPED: no copy can be made
        self.leaves_behind: Holds | None = None  # whether a call with such a body is stateful; None: none is
        self.copies: dict[int, bytes] = {}  # by a copy's role: its head, as `request` is production's

    def adding(self, lines: bytes) -> RequestPlan:
        """The same plan, whose head for production has `lines` too."""
        plan = RequestPlan(self.head, self.route, self.request + lines)
        plan.refused = self.refused
        plan.keep = self.keep
        plan.drop_reason = self.drop_reason
        plan.leaves_behind = self.leaves_behind
        plan.copies = self.copies
        return plan

    def mirror(self, keep: int) -> None:
        """Copies are wanted, of bodies up to `keep` bytes."""
        self.keep = keep
        if not self.head.chunked and self.head.length > keep:
            self.drop_reason = o.BODY_TOO_LARGE
