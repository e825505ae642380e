"""An account that is kept beside shadowproxy's: by the clients and by the upstreams, to the single request.

Each request has a number. The clients note what became of it, the upstreams which numbers they saw and over which
connection; all that shadowproxy says, its pairs and its ledger, is then held against that. What no rule below explains
is *unexplained*, and there must be none.

    where a request has no pair of a candidate, and
      its worker ended well      the ledger counts it: excluded, dropped, unlogged
      its worker was killed      the recorder had not yet acknowledged its pair: all that it had stands in the log
                                 without a gap (`src`); or no copy of it was sent, and the ledger says so, or would
                                 have said so within LEDGER_S
      it reached no production   its client saw it end without an answer, or the ledger counts it
    also: no number twice anywhere; no pair and no copy of what was not asked; no right answer that the log calls
    otherwise; no complete answer of a model that never saw the question.

A connection to an upstream belongs to one worker's life, so any pair that came over it tells whose the others were.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.client import Client, post
from tests.support.ledger import Log, Row
from tests.support.load import Load, returns_the_body
from tests.support.message import Ended, Malformed
from tests.support.upstream import Connection, Handler, Request

LEDGER_S = 7.0  # a worker tells its totals each 5 s
LATE_S = 1.0  # an upstream may see what was on its way to it when the worker died

Boot = tuple[int, int]  # worker, boot


class Seen:
    """What one upstream saw."""

    def __init__(self, handler: Handler = returns_the_body) -> None:
        self.numbers: dict[int, tuple[int, float]] = {}  # number → connection, time
        self.twice: list[int] = []
        self._handler = handler

    def __call__(self, connection: Connection, request: Request) -> None:
        id_ = (request.get(b"x-request-id") or b"").decode()
        if id_.startswith("load-"):
            number = int(id_.removeprefix("load-"))
            if number in self.numbers:
                self.twice.append(number)
            self.numbers[number] = (connection.number, time.time())
        self._handler(connection, request)


class Asking(Load):
    """Clients that bear any end, and note it: `fates` says what became of each request that was sent."""

    def __init__(self, *args: object, **more: object) -> None:
        self.fates: dict[int, str] = {}
        super().__init__(*args, **more)  # type: ignore[arg-type]

    @property
    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _ask(self, client: Client, number: int) -> bool:
        body = b'{"n": %d}' % number
        self.sent[number] = time.time()
        self.fates[number] = "lost"
        try:
            answer = client.ask(post("/load", body, f"X-Request-ID: {self.id(number)}"))
        except (Ended, OSError):
            return self._note(number, "lost")
        except Malformed as fault:
            self.lost.append(f"{number}: {fault!r}")
            return self._note(number, "wrong")
        if answer.kind:
            self._note(number, answer.kind)
        elif answer.status == 200 and body.startswith(answer.data) and not answer.body.complete:
            return self._note(number, "cut")
        elif (answer.status, answer.data) == (200, body):
            self._note(number, "right")
        else:
            self.lost.append(f"{number}: {answer.head.raw!r} {answer.data!r}")
            return self._note(number, "wrong")
        return (answer.head.get(b"connection") or b"").lower() != b"close"

    def _note(self, number: int, fate: str) -> bool:
        self.fates[number] = fate
        self.answered[number] = time.time()
        return False


@dataclass
class Era:
    """One run of the proxy, from its start to its end."""

    since_ms: int
    asking: list[Asking] = field(default_factory=list)
    kills: list[tuple[float, int]] = field(default_factory=list)  # time, worker's slot
    killed_at: float = 0.0  # everything at once; 0: it ended well

    @property
    def sent(self) -> dict[int, float]:
        return {number: at for asking in self.asking for number, at in asking.sent.items()}

    @property
    def fates(self) -> dict[int, str]:
        return {number: fate for asking in self.asking for number, fate in asking.fates.items()}

    def ends(self, boots: Iterable[Boot]) -> dict[Boot, float]:
        """When each life of a worker was ended by a kill; those that ended well are not in it."""
        ended = {}
        for slot, boot in boots:
            kills = [at for at, killed in self.kills if killed == slot and at * 1000 > boot]
            if kills or self.killed_at:
                ended[slot, boot] = min(kills, default=self.killed_at)
        return ended


@dataclass
class Account:
    asked: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    logged: int = 0  # pairs
    counted: int = 0  # copies that the ledger says were not made, or not logged
    lost: Counter[str] = field(default_factory=Counter)  # pairs not yet handed over, by who was killed
    oldest_s: float = 0.0  # how long before the kill the oldest of these had come
    unexplained: list[str] = field(default_factory=list)

    def add(self, other: Account) -> None:
        self.asked += other.asked
        self.fates += other.fates
        self.logged += other.logged
        self.counted += other.counted
        self.lost += other.lost
        self.oldest_s = max(self.oldest_s, other.oldest_s)
        self.unexplained += other.unexplained

    def __str__(self) -> str:
        fates = ", ".join(f"{count:,} {fate}" for fate, count in self.fates.most_common())
        lost = ", ".join(f"{count:,} with {who}" for who, count in self.lost.items())
        return (
            f"{self.asked:,} requests ({fates}); {self.logged:,} pairs logged, {self.counted:,} copies counted as not"
            f" made, {lost or 'none'} lost, the oldest {self.oldest_s:.2f} s before the kill;"
            f" {len(self.unexplained)} unexplained"
        )


def settle(era: Era, log: Log, production: Seen, copies: dict[str, Seen]) -> Account:
    """Hold what shadowproxy wrote in an era against what clients and upstreams saw. `log` may hold other eras too."""
    settling = _Settling(era, log, production, copies)
    for name in copies:
        settling.settle(name)
    return settling.account


class _Settling:
    def __init__(self, era: Era, log: Log, production: Seen, copies: dict[str, Seen]) -> None:
        self.era, self.sent, self.fates = era, era.sent, era.fates
        self.account = Account(len(self.sent), Counter(self.fates.values()))
        self.say = self.account.unexplained.append
        self.production, self.copies = production, copies
        self.pairs = _pairs(log, era, copies)
        self.rows = [row for row in log.last_rows().values() if row["boot"] >= era.since_ms]
        self.home = _homes(self.pairs, [production, *copies.values()])
        self.ends = era.ends({*self.home.values(), *map(_boot, self.rows)})
        self.last: dict[tuple[str, int], float] = {}  # connection → when the last request on it came
        for who, seen in {"production": production, **copies}.items():
            for connection, at in seen.numbers.values():
                self.last[who, connection] = max(at, self.last.get((who, connection), 0.0))
        self._look_at_fates()
        self._look_for_gaps()

    def _look_at_fates(self) -> None:
        for who, seen in {"production": self.production, **self.copies}.items():
            for number in seen.twice:
                self.say(f"{number}: {who} saw it twice")
        for number, fate in self.fates.items():
            if fate == "wrong":
                self.say(f"{number}: a wrong answer")
            elif fate in ("right", "cut") and number not in self.production.numbers:
                self.say(f"{number}: answered {fate}, and production never saw it")

    def settle(self, name: str) -> None:
        """One candidate's pairs, those that are missing, and the ledger's count of requests."""
        logged = self.pairs[name]
        self.account.logged += len(logged)
        for number, pair in logged.items():
            self._hold(number, pair)
        rows = [row for row in self.rows if row["candidate"] == name]
        self._explain(name, [number for number in self.sent if number not in logged], rows)
        self._count_requests(name, rows)

    def _hold(self, number: int, pair: Row) -> None:
        """One pair against what was seen of its request."""
        if number not in self.sent:
            self.say(f"{number}: a pair of what was not asked")
            return
        if pair["shadow"]["outcome"] == "complete" and number not in self.copies[pair["candidate"]].numbers:
            self.say(f"{number}: a complete answer of {pair['candidate']}, which never saw it")
        if pair["production"]["outcome"] == "complete" and number not in self.production.numbers:
            self.say(f"{number}: a complete answer of production, which never saw it")
        if self.fates[number] == "right" and pair["production"]["outcome"] != "complete":
            self.say(f"{number}: answered right, logged as {pair['production']['outcome']}")

    def _explain(self, name: str, missing: list[int], rows: list[Row]) -> None:
        """Why each request without a pair of this candidate has none."""
        counted = sum(_uncopied(row) for row in rows if _boot(row) not in self.ends)
        told = Counter({_boot(row): 0 for row in rows})
        for row in rows:
            told[_boot(row)] += _uncopied(row)
        self.account.counted += counted
        well = nowhere = unanswered = 0
        for number in missing:
            boot = self.home.get(number)
            if boot in self.ends:
                if not self._is_told(name, number, boot, told):
                    self._lose(number, self.ends[boot])
            elif boot is not None:
                well += 1
            elif (end := self._end_of_its_connection(number)) is not None:
                self._lose(number, end)
            else:
                nowhere += 1
                unanswered += self.fates[number] == "lost"
        if well > counted:
            self.say(f"{name}: {well} pairs are missing, the ledger counts {counted}")
        rest = max(0, counted - well)
        if rest > nowhere:
            self.say(f"{name}: the ledger counts {counted} without a pair, only {well + nowhere} are missing")
        if nowhere - rest > unanswered:
            self.say(f"{name}: {nowhere - rest} are counted nowhere, only {unanswered} ended without an answer")

    def _is_told(self, name: str, number: int, boot: Boot, told: Counter[Boot]) -> bool:
        """Whether no copy was sent, and a killed worker's ledger counts that, or would have with its next line."""
        if number in self.copies[name].numbers:
            return False
        if told[boot] > 0:
            told[boot] -= 1
        elif self.ends[boot] - self.sent[number] > LEDGER_S:
            return False
        self.account.counted += 1
        return True

    def _lose(self, number: int, killed_at: float) -> None:
        """The pair was still in the hands of who was killed then."""
        self.account.lost["everything" if killed_at == self.era.killed_at else "a worker"] += 1
        self.account.oldest_s = max(self.account.oldest_s, killed_at - self.sent[number])

    def _end_of_its_connection(self, number: int) -> float | None:
        """The kill that ended a connection of which no pair is in the log; None where it may have lived on."""
        kills = sorted((*(at for at, _ in self.era.kills), self.era.killed_at))
        for who, seen in {"production": self.production, **self.copies}.items():
            if number in seen.numbers:
                last = self.last[who, seen.numbers[number][0]] - LATE_S
                return next((at for at in kills if at >= last), None)
        # Nobody saw it. Where it was refused, a worker that was killed soon after had not yet told why.
        untold = (at for at in kills if 0 <= at - self.sent[number] <= LEDGER_S)
        return next(untold, None) if self.fates[number] not in ("right", "cut", "lost") else None

    def _look_for_gaps(self) -> None:
        """A worker numbers its pairs, and the recorder acknowledges them in this order: none is passed over."""
        logged: dict[Boot, set[int]] = {}
        for per in self.pairs.values():
            for pair in per.values():
                worker, boot, seq = pair["src"]
                logged.setdefault((worker, boot), set()).add(seq)
        for boot, numbers in logged.items():
            if len(numbers) != max(numbers):
                self.say(
                    f"worker {boot}: {max(numbers) - len(numbers)} pairs are missing before the last one in the log"
                )

    def _count_requests(self, name: str, rows: list[Row]) -> None:
        """As many requests as the clients sent to the workers that ended well."""
        counted = sum(row["requests"] for row in rows if _boot(row) not in self.ends)
        known = [self.home[number] not in self.ends for number in self.sent if number in self.home]
        least, most = sum(known), sum(known) + len(self.sent) - len(known)
        if not least <= counted <= most:
            self.say(f"{name}: the ledger counts {counted} requests, the clients sent {least} to {most}")


def _boot(row: Row) -> Boot:
    return row["worker"], row["boot"]


def _uncopied(row: Row) -> int:
    parts = (row["excluded"], row["dropped"], row["unlogged"])
    return int(row["unmatched"] + row["sampled_out"] + row["in_flight"] + sum(sum(part.values()) for part in parts))


def _pairs(log: Log, era: Era, names: Iterable[str]) -> dict[str, dict[int, Row]]:
    found: dict[str, dict[int, Row]] = {name: {} for name in names}
    for pair in log.pairs:
        if pair["src"][1] >= era.since_ms:
            found[pair["candidate"]][int(pair["id"].removeprefix("load-"))] = pair
    return found


def _homes(pairs: dict[str, dict[int, Row]], upstreams: Iterable[Seen]) -> dict[int, Boot]:
    """Number → the worker's life that it belongs to, where anything tells."""
    told = {n: (pair["src"][0], pair["src"][1]) for per in pairs.values() for n, pair in per.items()}
    homes = dict(told)
    for seen in upstreams:
        of = {connection: told[n] for n, (connection, _) in seen.numbers.items() if n in told}
        for n, (connection, _) in seen.numbers.items():
            if n not in homes and connection in of:
                homes[n] = of[connection]
    return homes
