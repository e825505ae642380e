"""One plan, offered from its connections' making to their end."""

from __future__ import annotations

from collections.abc import Callable

from shadowproxy.bench.lane import Lane
from shadowproxy.bench.outcome import Outcome
from shadowproxy.bench.plan import Plan


async def offer(plan: Plan, mark: Callable[[str], None] = lambda _: None) -> Outcome:
    """Calls `mark("begin")` and `mark("end")` at the window's ends. Raises OSError when nothing can be connected to."""
    lane = Lane(plan)
    try:
        await lane.open()
        return await lane.run(mark)
    finally:
        await lane.close()
