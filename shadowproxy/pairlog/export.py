"""A log, or a part of one, as columns in another directory. The log itself is left as it is, open segments too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from shadowproxy.pairlog import database
from shadowproxy.pairlog.convert import count, write
from shadowproxy.pairlog.names import PAIRS, bodies_of, columns_of
from shadowproxy.pairlog.reader import is_columns
from shadowproxy.pairlog.segment import FILE_MODE

_MEMORY_BYTES = 1 << 30


class Exported(NamedTuple):
    files: int
    pairs: int


def export(files: Iterable[Path], folder: Path, done: Callable[[Path], None], threads: int = 2) -> Exported:
    """Write each segment's columns into `folder`; `done` is told of each. Raises FileExistsError for a name that is
    taken, OSError, and duckdb.Error. Lines that are no records are left out."""
    written = pairs = 0
    for file in files:
        target = columns_of(folder / file.name)
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        with database.opened(_MEMORY_BYTES, threads) as con:
            if is_columns(file):
                rows = count(con, file)
                _copy(file, target)
                if bodies_of(file).exists():
                    _copy(bodies_of(file), bodies_of(target))
            else:
                rows = write(con, file, target, bodies_of(target), lenient=True)
        written += 1
        pairs += rows if file.name.startswith(PAIRS) else 0
        done(file)
    return Exported(written, pairs)


def _copy(file: Path, target: Path) -> None:
    shutil.copyfile(file, target)
    os.chmod(target, FILE_MODE)
