"""What a seat keeps over its lives, and when the next may begin."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from shadowproxy.supervisor import status
from shadowproxy.supervisor.life import Life
from shadowproxy.supervisor.seat import ATTEMPTS, Patience, Seat
from shadowproxy.supervisor.totals import BOOTS_KEPT, OLDER, Totals, sum_rows
from shadowproxy.wire.messages import Heartbeat, Ready, Stats, ToSupervisor, pack

PATIENCE = Patience(first_backoff=0.25, longest_backoff=2.0, settled=10.0)


@pytest.fixture
def seat() -> Iterator[Seat]:
    with socket.socket() as sock:
        yield Seat("worker", 0, sock, PATIENCE)


def alive(seat: Seat, now: float, boot: int = 1) -> Life:
    """A life without a process, as it stands after Ready."""
    life = Life(seat.role, seat.slot, 1, lambda life, message: None)
    life.started_at = life.beat_at = now
    seat.life, seat.lives = life, seat.lives + 1
    hear(life, Ready(pid=1, role="worker", slot=0, boot=boot))
    life.beat_at = now
    return life


def hear(life: Life, message: ToSupervisor) -> None:
    life.data_received(pack(message))


async def test_young_deaths_are_spaced_out_and_a_settled_life_starts_anew(seat: Seat) -> None:
    waits = []
    for boot in range(1, 8):
        waits.append(seat.ended(alive(seat, 100.0, boot), "crashed", 101.0))
    assert waits == [0.0, 0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert not seat.is_due(102.9)
    assert seat.is_due(103.0)
    assert seat.ended(alive(seat, 200.0, 9), "crashed", 210.5) == 0.0
    assert seat.ended(alive(seat, 211.0, 10), "crashed", 212.0) == 0.0  # the first young one after a settled one


async def test_a_seat_that_is_given_up_is_never_due(seat: Seat) -> None:
    seat.wanted = False
    assert not seat.is_due(1e9)


async def test_a_start_has_failed_after_so_many_lives_unless_one_was_ready(seat: Seat) -> None:
    for boot in range(ATTEMPTS):
        assert not seat.start_failed
        seat.ended(alive(seat, 0.0, boot), "crashed", 0.1)
    assert seat.start_failed
    seat.was_ready = True
    assert not seat.start_failed


async def test_silence_is_judged_by_role_and_state(seat: Seat) -> None:
    life = alive(seat, 100.0)
    assert seat.is_silent(105.0) == ""
    assert seat.is_silent(105.1) == "no heartbeat for 5 s"
    seat.role = "recorder"
    assert seat.is_silent(129.0) == ""
    assert seat.is_silent(131.0) == "no heartbeat for 30 s"
    life.state = "starting"
    assert seat.is_silent(119.0) == ""
    assert seat.is_silent(120.5) == "not ready within 20 s"
    life.state = "draining"
    assert seat.is_silent(1e9) == ""


async def test_counters_never_fall_over_deaths_and_gauges_end_with_their_process(seat: Seat) -> None:
    seen = []
    for boot in (1, 2, 3):
        life = alive(seat, 0.0, boot)
        for count in (5.0, 10.0):
            stats = Stats(
                counters={"requests_total": count},
                gauges={"connections": count},
                histograms={"overhead_seconds": ([0.1], [int(count), 1], count)},
            )
            hear(life, Heartbeat(stats))
            seen.append(seat.stats().counters["requests_total"])
        assert seat.stats().gauges == {"connections": 10.0}
        seat.ended(life, "crashed", 1.0)
        seen.append(seat.stats().counters["requests_total"])
    assert seen == [5, 10, 10, 15, 20, 20, 25, 30, 30]
    assert seat.stats().gauges == {}
    assert seat.stats().histograms == {"overhead_seconds": ([0.1], [30, 3], 30.0)}


async def test_ledger_rows_are_kept_by_boot(seat: Seat) -> None:
    for boot in (11, 12):
        life = alive(seat, 0.0, boot)
        hear(life, Heartbeat(Stats(ledger=[{"candidate": "v2", "sent": boot}])))
        if boot == 11:
            seat.ended(life, "crashed", 1.0)
    assert seat.ledgers() == {
        11: [{"candidate": "v2", "sent": 11}],
        12: [{"candidate": "v2", "sent": 12}],
    }


def test_the_ledgers_of_long_dead_boots_are_summed() -> None:
    totals = Totals()
    for boot in range(1, BOOTS_KEPT + 11):
        totals.add(boot, Stats(ledger=[{"trial": "t", "candidate": "v2", "route": "r", "sent": 1}]))
    assert len(totals.ledgers) == BOOTS_KEPT
    assert totals.ledgers[OLDER][0]["sent"] == 11
    assert sum(rows[0]["sent"] for rows in totals.ledgers.values()) == BOOTS_KEPT + 10


def test_rows_add_up_by_trial_candidate_and_route() -> None:
    def row(route: str | None, **counts: object) -> dict[str, object]:
        return {"trial": "t", "candidate": "v2", "route": route, **counts}

    rows = [
        row("a", sent=1, dropped={"in_flight": 2}),
        row(None, sent=10),
        row("a", sent=3, dropped={"in_flight": 1, "overload": 5}, logged=7),
    ]
    assert sum_rows(rows) == [
        row("a", sent=4, dropped={"in_flight": 3, "overload": 5}, logged=7),
        row(None, sent=10),
    ]
    assert rows[0] == row("a", sent=1, dropped={"in_flight": 2})  # summed, not changed


@pytest.mark.parametrize(
    ("healthy", "draining", "reasons"),
    [
        ([True, True], False, []),
        ([False, True], False, []),  # one that can is enough
        ([False, False], False, ["production cannot be reached; refused"]),
        ([], False, ["no worker is ready"]),
        ([True], True, ["draining: the proxy is about to end"]),
    ],
)
async def test_readiness(healthy: list[bool], draining: bool, reasons: list[str]) -> None:
    with socket.socket() as sock:
        seats = []
        for slot, well in enumerate(healthy):
            seat = Seat("worker", slot, sock, PATIENCE)
            hear(alive(seat, 0.0), Heartbeat(Stats(), healthy=well, note="" if well else "refused"))
            seats.append(seat)
        told = status.readiness(seats, draining=draining)
    assert told == {"ready": not reasons, "reasons": reasons}


async def test_nonsense_from_a_child_is_its_end(seat: Seat) -> None:
    life = alive(seat, 0.0)
    life.data_received(b"\xff" * 16)
    assert life.killed
    assert life.obituary(-9).startswith("it sent no message of ours: a message of")


@pytest.mark.parametrize(
    ("status_code", "said"), [(3, "exit status 3"), (-11, "killed by SIGSEGV"), (-250, "killed by signal 250")]
)
async def test_an_obituary_says_how(seat: Seat, status_code: int, said: str) -> None:
    assert alive(seat, 0.0).obituary(status_code) == said
