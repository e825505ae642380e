"""python -m shadowproxy.recorder --slot 0 --control FD --listen FD: started by the supervisor, not by hand."""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvloop

from shadowproxy import logs
from shadowproxy.recorder.process import Process
from shadowproxy.recorder.restraint import restrain
from shadowproxy.wire.child import ignore_signals


def main() -> int:
    ignore_signals()
    restrain()
    parser = argparse.ArgumentParser(prog="shadowproxy.recorder")
    for name in ("--slot", "--control", "--listen"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    logs.configure(logs.JSON, process="recorder")

    async def live() -> int:
        return await Process(arguments.slot, arguments.control, arguments.listen).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(live())


if __name__ == "__main__":
    sys.exit(main())
