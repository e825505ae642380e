"""python -m shadowproxy.pairlog DIR: turns the closed segments in DIR into columns, one at a time, and exits.

Started by the recorder, whose end of a pipe it holds as its standard input: it dies with the recorder. What became of
each segment is told on standard output, a JSON object a line: `{file, state, why}`, `state` one of converted, left.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import orjson

from shadowproxy.pairlog import database
from shadowproxy.pairlog.convert import Unreadable, convert, remove_leftovers
from shadowproxy.pairlog.names import CONVERTED, KINDS, LEFT, LINES, Segment, segments
from shadowproxy.pairlog.restraint import Restraint, restrain

# The least of everything: production's processor, then the recorder's, then ours; killed first when memory ends.
RESTRAINT: Final = Restraint(nice=19, oom_score_adj=900, memory_bytes=3 << 30)
_DATABASE_BYTES: Final = 512 << 20


def closed(folder: Path) -> Iterator[Segment]:
    """Segments of lines that hold something, oldest first. Whether they are open is seen when they are locked."""
    for kind in KINDS:
        yield from (
            segment for segment in segments(folder, kind) if segment.name.form == LINES and segment.size_bytes > 0
        )


def main() -> int:
    folder = Path(sys.argv[1])
    restrain(RESTRAINT)
    threading.Thread(target=_die_with_parent, name="parent", daemon=True).start()
    remove_leftovers(folder)
    for segment in closed(folder):
        # A connection of its own: what one segment needed is given back before the next.
        with database.opened(_DATABASE_BYTES, 1) as con:
            _tell(segment, *_convert(con, segment.path))
    return 0


def _convert(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, str]:
    try:
        return (CONVERTED, "") if convert(con, path) else ("", "")
    except Unreadable as e:
        return LEFT, str(e)
    except (OSError, duckdb.Error) as e:
        return LEFT, f"{path}: {' '.join(str(e).split())}"


def _tell(segment: Segment, state: str, why: str) -> None:
    if state:
        sys.stdout.buffer.write(orjson.dumps({"file": segment.path.name, "state": state, "why": why}) + b"\n")
        sys.stdout.buffer.flush()


def _die_with_parent() -> None:
    os.read(0, 1)  # by the descriptor: a thread that holds `sys.stdin` would be in the interpreter's way at its end
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
