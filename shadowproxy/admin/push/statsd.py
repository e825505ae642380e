"""StatsD and DogStatsD over UDP: `name:value|c` for what a total grew by, `name:value|g` for a gauge.

With tags: `name:value|c|#label:value,…`; without, the labels' values are parts of the name. Lines are packed into
datagrams of at most MAX_DATAGRAM bytes, which fit Ethernet's MTU in one piece. The socket never blocks: what the system
does not take at once is dropped, and counted.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from typing import Final

from shadowproxy.admin.series import Labels
from shadowproxy.settings.snapshot import StatsD

from .names import clean, joined, tag_text
from .samples import Sample

MAX_DATAGRAM: Final = 1432
RESOLVE_S: Final = 60.0  # how long a name's address is believed


class StatsDPush:
    def __init__(self, settings: StatsD) -> None:
        self.sent = 0  # samples
        self.dropped = 0
        self._settings = settings
        self._socket: socket.socket | None = None
        self._resolved_at = -RESOLVE_S

    async def push(self, grown: Iterable[tuple[Sample, float]], at: float) -> None:
        lines = [line for sample, growth in grown if (line := self._line(sample, growth)) is not None]
        if not await self._connect():
            self.dropped += len(lines)
            return
        assert self._socket is not None
        for datagram, count in packed(lines):
            try:
                self._socket.send(datagram)
            except OSError:  # full, or nobody there, which ICMP told of an earlier one
                self.dropped += count
            else:
                self.sent += count

    def _line(self, sample: Sample, growth: float) -> bytes | None:
        if sample.is_total and not growth:
            return None
        value, kind = (growth, "c") if sample.is_total else (sample.value, "g")
        name = self._settings.prefix + self._name(sample.name, sample.labels)
        tags = f"|#{tags_of(sample.labels)}" if self._settings.tags and sample.labels else ""
        # A signed gauge is a change to one: a negative value has to be reached from 0.
        reset = f"{name}:0|g{tags}\n" if kind == "g" and value < 0 else ""
        return f"{reset}{name}:{_number(value)}|{kind}{tags}".encode()

    def _name(self, name: str, labels: Labels) -> str:
        return name if self._settings.tags else joined(name, labels)

    async def _connect(self) -> bool:
        """A connected socket to where the name leads now; False while it leads nowhere."""
        loop = asyncio.get_running_loop()
        if self._socket is not None and loop.time() - self._resolved_at < RESOLVE_S:
            return True
        host, _, port = self._settings.to.rpartition(":")
        try:
            found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
            sock.connect(address)
        except OSError:
            return self._socket is not None
        await self.close()
        self._socket, self._resolved_at = sock, loop.time()
        return True

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def packed(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """(datagram, how many lines it holds)"""
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + 1 + len(line) > MAX_DATAGRAM:
            yield b"\n".join(held), len(held)
            held, size = [], 0
        size += len(line) + (1 if held else 0)
        held.append(line)
    if held:
        yield b"\n".join(held), len(held)


def tags_of(labels: Labels) -> str:
    return ",".join(f"{clean(label)}:{tag_text(value)}" for label, value in labels)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.9g}"
