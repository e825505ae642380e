"""How an exchange ended, why a copy was not sent, and why a pair was not logged: the closed sets of the contract.

The position in a tuple is the code on the wire (`wire.frames`), so names are only ever appended.
"""

from __future__ import annotations

from typing import Final

# How an attempt on the wire ended. "complete" means that a whole answer came, whatever its status.
OUTCOMES: Final = (
    "",  # 0: there was no exchange
    "complete",
    "connect_error",
    "timeout",
    "reset",
    "protocol_error",
    "truncated",
    "client_aborted",
)
COMPLETE: Final = 1
CONNECT_ERROR: Final = 2
TIMEOUT: Final = 3
RESET: Final = 4
PROTOCOL_ERROR: Final = 5
TRUNCATED: Final = 6
CLIENT_ABORTED: Final = 7

# By rule: the request was never meant to be mirrored.
EXCLUDED: Final = ("", "method", "upgrade", "stateful", "paused", "refused")
EXCLUDED_METHOD: Final = 1
EXCLUDED_UPGRADE: Final = 2
EXCLUDED_STATEFUL: Final = 3
EXCLUDED_PAUSED: Final = 4
EXCLUDED_REFUSED: Final = 5

# Wanted, but lost before it was sent.
DROPPED: Final = (
    "",
    "body_too_large",
    "in_flight",
    "breaker_open",
    "buffer_full",
    "overload",
    "recorder_behind",
    "connect_rate",
    "rewrite_failed",
    "draining",
    "client_aborted",
)
BODY_TOO_LARGE: Final = 1
IN_FLIGHT: Final = 2
BREAKER_OPEN: Final = 3
BUFFER_FULL: Final = 4
OVERLOAD: Final = 5
RECORDER_BEHIND: Final = 6
CONNECT_RATE: Final = 7
REWRITE_FAILED: Final = 8
DRAINING: Final = 9
DROPPED_CLIENT_ABORTED: Final = 10

# Finished, but not in the log.
UNLOGGED: Final = ("", "recorder_lost", "queue_full", "disk")
LOGGED: Final = 0
RECORDER_LOST: Final = 1
QUEUE_FULL: Final = 2
DISK: Final = 3
