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
COMPLETE, CONNECT_ERROR, TIMEOUT, RESET, PROTOCOL_ERROR, TRUNCATED, CLIENT_ABORTED = range(1, 8)

# By rule: the request was never meant to be mirrored.
EXCLUDED: Final = ("", "method", "upgrade", "stateful", "paused", "refused")
EXCLUDED_METHOD, EXCLUDED_UPGRADE, EXCLUDED_STATEFUL, EXCLUDED_PAUSED, EXCLUDED_REFUSED = range(1, 6)

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
(
    BODY_TOO_LARGE,
    IN_FLIGHT,
    BREAKER_OPEN,
    BUFFER_FULL,
    OVERLOAD,
    RECORDER_BEHIND,
    CONNECT_RATE,
    REWRITE_FAILED,
    DRAINING,
    DROPPED_CLIENT_ABORTED,
) = range(1, 11)

# Finished, but not in the log.
UNLOGGED: Final = ("", "recorder_lost", "queue_full", "disk")
LOGGED, RECORDER_LOST, QUEUE_FULL, DISK = range(4)
