"""What stands for a runtime where it must not be kept alive.

Weak references to compiled classes outlive what they refer to, which ends the process. So this room is never compiled,
and what is referred to weakly is the tether that a runtime holds, and nobody else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from shadowproxy.proxy.canary import Canary
    from shadowproxy.proxy.mirror import Mirror
    from shadowproxy.proxy.runtime import RoutePlan


class Tether:
    """Alive for as long as its runtime is: while a request may still use it. Knows what others need of it."""

    def __init__(self, routes: Sequence[RoutePlan], mirrors: Collection[Mirror]) -> None:
        self.mirrors = mirrors
        self.canary: Canary | None = None
        self._routes = routes

    def hush(self, names: frozenset[str]) -> None:
        """The kill switch, ahead of the configuration that will say the same."""
        if self.canary is not None:
            self.canary.is_on = self.canary.face.candidate.name not in names
        for route in self._routes:
            for entry in (*route.candidates, *([route.twin] if route.twin else ())):
                entry.hush(entry.settings.name in names)
