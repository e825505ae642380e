"""`python -m shadowproxy.admin --slot N --control FD --listen FD`, started by the supervisor and by nobody else."""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvloop

from shadowproxy.admin.process import serve
from shadowproxy.wire.child import ignore_signals


def main() -> int:
    ignore_signals()
    parser = argparse.ArgumentParser(prog="shadowproxy.admin")
    for name in ("--slot", "--control", "--listen"):
        parser.add_argument(name, type=int, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(given.control, given.slot, given.listen))


if __name__ == "__main__":
    sys.exit(main())
