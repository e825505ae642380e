"""The last moments of a listening socket, in which nobody may be lost.

Closing one resets who has connected since its queue was last found empty, be it between two system calls. So first
nobody new is let in, then who was let in is accepted, and then it is closed. A client that came too late is not
answered by the kernel, asks again after a second, and is refused.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from contextlib import suppress
from typing import Final

LAST_ARRIVALS_S: Final = 0.05  # until everybody is in the queue whose handshake had begun

# BPF's classic instructions (linux/filter.h: code, jump if true, jump if false, k) over a TCP header: of a segment with
# SYN and without ACK nothing is taken, of any other everything.
_PROGRAM: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # the byte of flags
        (0x54, 0, 0, 0x12),  # SYN and ACK of it
        (0x15, 0, 1, 0x02),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 0xFFFFFFFF),
    )
)
_SO_ATTACH_FILTER: Final = 26  # socket(7)


def turn_away(sock: socket.socket) -> None:
    """Nobody new may connect to this socket, whoever else holds it; a system that refuses leaves all as it is."""
    program = ctypes.create_string_buffer(_PROGRAM)
    with suppress(OSError):
        described = struct.pack("@HP", len(_PROGRAM) // 8, ctypes.addressof(program))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
