"""`python -m shadowproxy.report`: one report for another process, which asks on stdin and kills it at a deadline.

The question is a `Question` as JSON, the answer the report's JSON in one line. Trouble is a sentence on stderr and exit
code 4. It yields to everything else on the machine, holds memory and threads down, and ends by itself at the deadline,
should nobody be left to end it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb
import msgspec

from shadowproxy.report import engine, views
from shadowproxy.report.assemble import Wishes, report
from shadowproxy.report.scope import Scope
from shadowproxy.report.source import SourceMissing, SourceUnknown, find
from shadowproxy.settings.snapshot import Snapshot

NICE: Final = 10
OOM_SCORE_ADJ: Final = 800  # of all that runs here it can be spared first
MEMORY_BYTES: Final = 768 << 20
THREADS: Final = 1
TROUBLE: Final = 4


class Question(msgspec.Struct, frozen=True):
    """`snapshot`: the configuration that judges. `paths`: as on the command line."""

    paths: tuple[str, ...]
    snapshot: Snapshot
    deadline_s: int


def main() -> int:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(question.deadline_s)
    _yield()
    try:
        source = find(question.paths)
        with engine.opened(MEMORY_BYTES, THREADS) as con:
            found = report(con, source, views.load_views(con, source), Wishes(Scope(), question.snapshot))
    except (SourceMissing, SourceUnknown, duckdb.Error) as e:
        print(engine.sentence(e) if isinstance(e, duckdb.Error) else e, file=sys.stderr)
        return TROUBLE
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    return 0


def _yield() -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    with suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < OOM_SCORE_ADJ:
            score.write_text(str(OOM_SCORE_ADJ))


if __name__ == "__main__":
    sys.exit(main())
