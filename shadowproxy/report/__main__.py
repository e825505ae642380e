"""`python -m shadowproxy.report`, see `question`: the admin process starts it beside production, least of all there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

from shadowproxy.pairlog.restraint import Restraint, restrain

# The engine that it asks keeps to a limit of its own.
RESTRAINT: Final = Restraint(nice=15, oom_score_adj=800, memory_bytes=None)


def main() -> int:
    # A group of its own: no Ctrl-C hits it. No session of its own: its priority would be weighed against nobody's.
    # uvloop starts no process in a group of its own, so it goes there by itself.
    with suppress(OSError):
        os.setpgid(0, 0)
    # Half a second of imports would otherwise be taken from production.
    restrain(RESTRAINT)
    from shadowproxy.report.question import answer

    return answer()


if __name__ == "__main__":
    sys.exit(main())
