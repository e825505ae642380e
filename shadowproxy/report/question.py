"""One answer for another process, which asks on stdin and kills us at a deadline.

The question is a `Question` as JSON, the answer on stdout what it asks for: a report in one of its forms, the log's
trials, or one request's pairs (JSON in one line). Trouble is a sentence on stderr and exit code 4. It holds memory and
threads down, and ends by itself at the deadline, should nobody be left to end it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Literal

import duckdb
import msgspec

from shadowproxy.report import engine, views
from shadowproxy.report.assemble import report
from shadowproxy.report.find import Ambiguous, Unknown, pairs_of
from shadowproxy.report.render import FORMATS
from shadowproxy.report.scope import NEWEST, Scope, ScopeError
from shadowproxy.report.source import SourceMissing, SourceUnknown, find
from shadowproxy.report.wishes import Wishes
from shadowproxy.report.words import moment
from shadowproxy.settings.snapshot import Snapshot

MEMORY_BYTES: Final = 768 << 20
THREADS: Final = 1
TROUBLE: Final = 4


class Question(msgspec.Struct, frozen=True):
    """`snapshot`: the configuration that judges. `paths`, `candidate`, `trial`, `since`, `format`: as on the command
    line."""

    paths: tuple[str, ...]
    deadline_s: int
    snapshot: Snapshot | None = None
    what: Literal["report", "trials", "pairs"] = "report"
    candidate: str | None = None
    trial: str = NEWEST
    since: datetime | None = None
    format: str = ""  # one line of JSON
    id: str = ""  # of `pairs`


def answer() -> int:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(question.deadline_s)
    try:
        out = _ANSWERS[question.what](question)
    except (SourceMissing, SourceUnknown, ScopeError, Unknown, Ambiguous, Unsupported, duckdb.Error) as e:
        print(engine.sentence(e) if isinstance(e, duckdb.Error) else e, file=sys.stderr)
        return TROUBLE
    sys.stdout.buffer.write(out)
    return 0


class Unsupported(Exception):
    """A form that this version does not write."""


def _report(question: Question) -> bytes:
    if question.format and question.format not in FORMATS:
        raise Unsupported(f"format: expected {', '.join(FORMATS)}, there was {question.format}")
    source = find(question.paths)
    scope = Scope(trial=question.trial, candidate=question.candidate, since=question.since)
    with engine.opened(MEMORY_BYTES, THREADS) as con:
        wishes = Wishes(
            scope,
            question.snapshot,
            drawn=question.format in ("", "json", "html"),
            bodies=question.format == "html",
        )
        found = report(con, source, views.load_views(con, source), wishes)
    return FORMATS[question.format](found).encode() if question.format else msgspec.json.encode(found) + b"\n"


_TRIALS: Final = "SELECT * REPLACE (epoch_us(first_ts) AS first_ts, epoch_us(last_ts) AS last_ts) FROM trials"


def _trials(question: Question) -> bytes:
    source = find(question.paths)
    with engine.opened(MEMORY_BYTES, THREADS) as con:
        views.load_views(con, source)
        cursor = con.execute(_TRIALS)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row |= {name: moment(row[name]) for name in ("first_ts", "last_ts")}
    return msgspec.json.encode(rows) + b"\n"


def _pairs(question: Question) -> bytes:
    return msgspec.json.encode(pairs_of(find(question.paths), question.id)) + b"\n"


_ANSWERS: Final[Mapping[str, Callable[[Question], bytes]]] = {"report": _report, "trials": _trials, "pairs": _pairs}
