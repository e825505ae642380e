"""Several addresses in turns, so that whatever the machine does falls on all of them alike.

Each has its window in every round, and every other round goes backwards. Only one is under load at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from shadowproxy.bench.lane import Lane
from shadowproxy.bench.outcome import Outcome
from shadowproxy.bench.plan import Plan
from shadowproxy.bench.probe import kind_of

ROUNDS: Final = 20
SHORTEST_S: Final = 0.25  # a window; shorter ones would be mostly beginnings and ends
FEWEST: Final = 2
_TOLD_S: Final = 0.5

Progress = Callable[["Told"], None]


class NoAnswer(OSError):
    """An address that did not answer once: the message names it."""


@dataclass(frozen=True, slots=True)
class Told:
    """How far it is: seconds of load done and in all, and what the address that is under load has seen so far."""

    done_s: float
    whole_s: float
    url: str
    outcome: Outcome


def rounds_of(addresses: int, duration_s: float) -> int:
    return 1 if addresses == 1 else max(FEWEST, min(ROUNDS, int(duration_s / SHORTEST_S)))


async def take_turns(plans: Sequence[Plan], told: Progress = lambda _: None) -> list[list[Outcome]]:
    """For each plan the outcomes of its windows. A plan's duration and warm-up are for all its windows together.

    Raises NoAnswer, before there is any load, when an address does not answer.
    """
    rounds = rounds_of(len(plans), plans[0].duration_s)
    lanes = [await _lane(plan) for plan in plans]
    outcomes: list[list[Outcome]] = [[] for _ in plans]
    whole_s = sum(plan.warmup_s + plan.duration_s for plan in plans)
    done_s = 0.0
    try:
        for number in range(rounds):
            turn = list(enumerate(lanes))
            for index, lane in turn if number % 2 == 0 else reversed(turn):
                window = replace(
                    plans[index],
                    duration_s=plans[index].duration_s / rounds,
                    warmup_s=plans[index].warmup_s if number == 0 else 0.0,
                )
                lane.plan = window
                teller = asyncio.create_task(_tell(lane, done_s, whole_s, told), name="bench.progress")
                try:
                    outcomes[index].append(await lane.run())
                finally:
                    teller.cancel()
                    with suppress(asyncio.CancelledError):
                        await teller
                done_s += window.warmup_s + window.duration_s
    finally:
        for lane in lanes:
            await lane.close()
    return outcomes


async def _lane(plan: Plan) -> Lane:
    try:
        lane = Lane(plan, await kind_of(plan))
        await lane.open()
    except OSError as error:
        raise NoAnswer(f"{plan.address.url}: expected an HTTP server that answers: {error}") from None
    return lane


async def _tell(lane: Lane, done_s: float, whole_s: float, told: Progress) -> None:
    began = asyncio.get_running_loop().time()
    while True:
        await asyncio.sleep(_TOLD_S)
        window_s = lane.plan.warmup_s + lane.plan.duration_s
        now_s = min(window_s, asyncio.get_running_loop().time() - began)
        told(Told(done_s + now_s, whole_s, lane.plan.address.url, lane.outcome))
