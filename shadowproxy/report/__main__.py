"""`python -m shadowproxy.report`, see `question`: the admin process starts it beside production, least of all there."""

from __future__ import annotations

import sys
from typing import Final

from shadowproxy.pairlog.restraint import Restraint, restrain

# The engine that it asks keeps to a limit of its own.
RESTRAINT: Final = Restraint(nice=19, oom_score_adj=800, memory_bytes=None)


def main() -> int:
    # Half a second of imports would otherwise be taken from production.
    restrain(RESTRAINT)
    from shadowproxy.report.question import answer

    return answer()


if __name__ == "__main__":
    sys.exit(main())
