"""Lines that go out in one write, and what the workers are told after it.

Law: a pair is acknowledged after its lines were written, in the order in which its worker sent it; neighbours of one
status are acknowledged together, for an ACK speaks for all pairs since the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shadowproxy.core.outcome import DISK, LOGGED
from shadowproxy.recorder.intake import Connection
from shadowproxy.recorder.lines import Line


class Entry(NamedTuple):
    connection: Connection
    seq: int
    status: int  # LOGGED where it depends on the write
    lines: Sequence[Line]


class Batch:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.size_bytes = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        for line in entry.lines:
            self.size_bytes += len(line.data)

    @property
    def data(self) -> bytes:
        return b"".join([line.data for line in lines_of(self.entries)])

    def settled(self, written: bool) -> list[Entry]:
        """Every entry with its final status; one without lines does not depend on the disk."""
        if written:
            return self.entries
        return [
            entry._replace(status=DISK) if entry.status == LOGGED and entry.lines else entry for entry in self.entries
        ]


def lines_of(entries: Sequence[Entry]) -> list[Line]:
    """The lines that stand in the log, of settled entries; of others those that are to stand there."""
    return [line for _, _, status, lines in entries if status == LOGGED for line in lines]


def acknowledge(entries: Sequence[Entry]) -> None:
    """One ACK a run of one status on one connection."""
    runs: dict[Connection, tuple[int, int]] = {}
    for connection, seq, status, _ in entries:
        run = runs.get(connection)
        if run is not None and run[1] != status:
            connection.acknowledge(*run)
        runs[connection] = (seq, status)
    for connection, run in runs.items():
        connection.acknowledge(*run)
