"""What has changed since it was last told: from a reading and a memory to notices. No I/O and no clock.

    verdict      PASS or FAIL is reached, or left again; a new trial begins undecided and says nothing of it
    breaker      copies to a candidate (or the twin) are stopped by its breaker in some worker, or flow again in all
    coverage     fewer pairs are in the log than `statistics.coverage` asks for, or enough again
    promoted, rolled_back    from the history; a ramp that ended is a rollback too
    stopped      a mirror has paused itself (`stopping.py`)

Law: `changes` tells each change once, and writes into the memory that it was told. Breaker and coverage must have been
seen so for SETTLED readings in a row: a figure that flickers is no news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from shadowproxy.admin.candidates import ledger_of, mirrors
from shadowproxy.admin.reading import Reading
from shadowproxy.admin.series import by_label, merge_gauges
from shadowproxy.settings.snapshot import Candidate

from . import notice as n
from .memory import Memory, Told
from .notice import Notice

SETTLED: Final = 3
AT_LEAST: Final = 20  # wanted pairs before their coverage says anything
UNDECIDED: Final = "INCONCLUSIVE"

Make = Callable[..., Notice]


class Watcher:
    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[bool, int]] = {}

    def changes(
        self, reading: Reading, history: Iterable[Mapping[str, Any]], memory: Memory, make: Make
    ) -> list[Notice]:
        """`history` are its new lines; `make(event, candidate, title, headline, **facts)` makes a notice."""
        _forget_strangers(reading, memory)
        return [
            *self._verdicts(reading, memory, make),
            *self._breakers(reading, memory, make),
            *self._coverage(reading, memory, make),
            *_deployments(history, make),
        ]

    # -- verdicts --------------------------------------------------------------------------------------------------

    def _verdicts(self, reading: Reading, memory: Memory, make: Make) -> Iterator[Notice]:
        for name, record in reading.verdicts.items():
            verdict, trial = record.get("verdict"), record["trial"]
            if verdict is None:
                continue
            told = memory.verdicts.get(name)
            if told is None or told.trial != trial:
                told = memory.verdicts[name] = Told(trial, UNDECIDED)
            if told.verdict != verdict:
                before, told.verdict = told.verdict, verdict
                title = f"{name} instead of {record['production']}: {verdict}"
                facts = {"verdict": verdict, "before": before, "trial": trial, "pairs": record["pairs"]}
                yield make(n.VERDICT, name, title, record["headline"], **facts)

    # -- breakers and coverage -------------------------------------------------------------------------------------

    def _breakers(self, reading: Reading, memory: Memory, make: Make) -> Iterator[Notice]:
        gauges = merge_gauges(child["gauges"] for child in reading.status["children"])
        workers = by_label(gauges, "breaker_open", "candidate")
        for mirror in mirrors(reading.snapshot):
            if mirror.name in workers and self._turned(n.BREAKER, mirror.name, workers[mirror.name] > 0, memory):
                yield _breaker(mirror, int(workers[mirror.name]), reading, make)

    def _coverage(self, reading: Reading, memory: Memory, make: Make) -> Iterator[Notice]:
        wanted_share = reading.snapshot.statistics.coverage
        for mirror in mirrors(reading.snapshot):
            ledger = ledger_of(mirror, reading.status["ledger"]["rows"])
            settled = ledger.get("eligible", 0) - ledger.get("sampled_out", 0) - ledger.get("in_flight", 0)
            if settled < AT_LEAST:
                continue
            share = ledger.get("logged", 0) / settled
            if self._turned(n.COVERAGE, mirror.name, share < wanted_share, memory):
                yield _covered(mirror, share, wanted_share, ledger, make)

    def _turned(self, event: str, name: str, is_bad: bool, memory: Memory) -> bool:
        """Whether it is otherwise than was told, for long enough; then it counts as told."""
        was, times = self._seen.get((event, name), (is_bad, 0))
        times = times + 1 if was == is_bad else 1
        self._seen[event, name] = (is_bad, times)
        told = memory.open_breakers if event == n.BREAKER else memory.low_coverage
        if times < SETTLED or (name in told) == is_bad:
            return False
        if is_bad:
            told.append(name)
        else:
            told.remove(name)
        return True


def _breaker(mirror: Candidate, workers: int, reading: Reading, make: Make) -> Notice:
    name = mirror.name
    if workers:
        total = sum(child["role"] == "worker" for child in reading.status["children"])
        why = f"{mirror.breaker.failures} copies failed within {mirror.breaker.window:g} s"
        headline = f"Copies to {name} have been stopped in {workers} of {total} workers: {why}."
        return make(n.BREAKER, name, f"{name}: breaker open", headline, open=True, workers=workers, url=mirror.url)
    headline = f"Copies to {name} are sent again."
    return make(n.BREAKER, name, f"{name}: breaker closed", headline, open=False, workers=0, url=mirror.url)


def _covered(mirror: Candidate, share: float, wanted: float, ledger: Mapping[str, Any], make: Make) -> Notice:
    name = mirror.name
    facts = {"coverage": share, "wanted": wanted, "below": share < wanted, "trial": mirror.trial}
    if share >= wanted:
        headline = f"{share:.1%} of the pairs that {name} should have had are in the log; {wanted:.0%} are needed."
        return make(n.COVERAGE, name, f"{name}: enough pairs again", headline, **facts)
    lost = {**ledger.get("dropped", {}), **ledger.get("unlogged", {})}
    worst = max(lost, key=lost.__getitem__, default="")
    because = f" Most were lost to {worst} ({lost[worst]:,})." if worst else ""
    headline = f"Only {share:.1%} of the pairs that {name} should have had are in the log; "
    headline += f"below {wanted:.0%} no gate can PASS.{because}"
    return make(n.COVERAGE, name, f"{name}: too few pairs", headline, lost=lost, **facts)


def _forget_strangers(reading: Reading, memory: Memory) -> None:
    """What is remembered is bounded by who is there."""
    known = {mirror.name for mirror in mirrors(reading.snapshot)} | {reading.snapshot.production.name}
    memory.verdicts = {name: told for name, told in memory.verdicts.items() if name in known}
    memory.open_breakers = [name for name in memory.open_breakers if name in known]
    memory.low_coverage = [name for name in memory.low_coverage if name in known]


# -- history -------------------------------------------------------------------------------------------------------


def _deployments(history: Iterable[Mapping[str, Any]], make: Make) -> Iterator[Notice]:
    for line in history:
        words = _WORDS.get(line.get("action", ""))
        if words is not None:
            yield words(line, make)


def _promoted(line: Mapping[str, Any], make: Make) -> Notice:
    new, old = line.get("to"), line.get("from")
    forced = f", forced: {line['forced']}" if line.get("forced") else ""
    headline = f"{new} answers in place of {old} (verdict {line.get('verdict') or 'none'}{forced})."
    return make(n.PROMOTED, str(new), f"{new} promoted", headline, **_facts(line))


def _rolled_back(line: Mapping[str, Any], make: Make) -> Notice:
    new, old = line.get("to"), line.get("from")
    headline = f"{new} answers again in place of {old}{_because(line)}."
    return make(n.ROLLED_BACK, str(old), f"{old} rolled back", headline, **_facts(line))


def _ramp_ended(line: Mapping[str, Any], make: Make) -> Notice:
    new, old = line.get("to"), line.get("from")
    headline = f"{old} answers all users again, {new}'s ramp has ended{_because(line)}."
    return make(n.ROLLED_BACK, str(new), f"{new} rolled back", headline, **_facts(line))


def _because(line: Mapping[str, Any]) -> str:
    return f": {str(line['reason']).rstrip('.')}" if line.get("reason") else ""


def _stopped(line: Mapping[str, Any], make: Make) -> Notice:
    name = str(line["to"])
    words = f" {line['headline']}" if line.get("headline") else ""
    headline = f"No more copies go to {name}: {line['why']}.{words}"
    facts = {key: line.get(key) for key in ("why", "verdict", "trial")}
    return make(n.STOPPED, name, f"{name} stopped", headline, **facts)


def _facts(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("v", "action", "candidate", "title", "headline")}


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any], Make], Notice]]] = {
    "promoted": _promoted,
    "rolled_back": _rolled_back,
    "ramp_ended": _ramp_ended,
    "stopped": _stopped,
}
