"""The worker as the supervisor starts it, for a run in which every instruction takes some fifty times its time.

Pairs wait 10 ms for others before they go to the recorder together. A program that valgrind slows down would find one
in each batch where the real one finds many, so here they wait as much longer as the worker is slower.
"""

from __future__ import annotations

import sys

from shadowproxy.proxy import recording
from shadowproxy.proxy.__main__ import main

_SLOWED = 50


if __name__ == "__main__":
    recording.FLUSH_S *= _SLOWED  # type: ignore[misc]  # Final for everybody else
    sys.exit(main())
