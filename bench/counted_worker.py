"""The worker as the supervisor starts it, for a run in which every instruction takes some fifty times its time.

Pairs wait 10 ms for others before they go to the recorder together. A program that valgrind slows down would find one
in each batch where the real one finds many, so here they wait as much longer as the worker is slower.

With BYTECODES in the environment it counts them, by function: SIGUSR1 appends the counts so far to that file, as one
line of JSON, and starts again. With OBJECTS it appends [objects that the collector knows, blocks of memory] instead, as
they are: nothing is collected before.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from shadowproxy.proxy import recording
from shadowproxy.proxy.__main__ import main

_SLOWED = 50
BYTECODES = "SHADOWPROXY_BENCH_BYTECODES"
OBJECTS = "SHADOWPROXY_BENCH_OBJECTS"


def count_bytecodes(into: Path) -> None:
    bytecodes: dict[CodeType, int] = {}
    calls: dict[CodeType, int] = {}

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        calls[frame.f_code] = calls.get(frame.f_code, 0) + 1
        return inside

    def inside(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            bytecodes[frame.f_code] = bytecodes.get(frame.f_code, 0) + 1
        return inside

    def write(number: int, frame: FrameType | None) -> None:
        sys.settrace(None)
        rows = [
            [f"{code.co_filename}:{code.co_firstlineno}", code.co_qualname, count, calls.get(code, 0)]
            for code, count in bytecodes.items()
            if code is not write.__code__
        ]
        with into.open("a", encoding="utf-8") as out:
            out.write(json.dumps(rows) + "\n")
        bytecodes.clear()
        calls.clear()
        sys.settrace(enter)

    signal.signal(signal.SIGUSR1, write)
    sys.settrace(enter)


def count_objects(into: Path) -> None:
    def write(number: int, frame: FrameType | None) -> None:
        counts = [len(gc.get_objects()), sys.getallocatedblocks()]
        with into.open("a", encoding="utf-8") as out:
            out.write(json.dumps(counts) + "\n")

    signal.signal(signal.SIGUSR1, write)


if __name__ == "__main__":
    recording.FLUSH_S *= _SLOWED  # type: ignore[misc]  # Final for everybody else
    if BYTECODES in os.environ:
        count_bytecodes(Path(os.environ[BYTECODES]))
    elif OBJECTS in os.environ:
        count_objects(Path(os.environ[OBJECTS]))
    sys.exit(main())
