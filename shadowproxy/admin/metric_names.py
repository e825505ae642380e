"""The metrics' names, without the prefix, and what each says. docs/metrics.md has a row for every one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "shadowproxy_"
MAX_VALUE: Final = 128

HELP: Final[Mapping[str, str]] = {
    "requests_total": "Requests answered, by route and status code.",
    "request_duration_seconds": "From a request's first byte to its answer's last.",
    "overhead_seconds": "Time a request spent in the proxy itself.",
    "upstream_duration_seconds": "From an exchange's start to its end; of copies, those that the recorder saw.",
    "first_token_seconds": "From a streamed exchange's start to its first part, in requests with a copy.",
    "mirrored_total": "Copies that ended, by candidate and outcome.",
    "mirror_dropped_total": "Copies that were wanted and not sent, by candidate and reason.",
    "mirror_keyless_total": "Requests that were sampled by their id, for they had no sample_key.",
    "mirror_in_flight": "Copies under way.",
    "mirror_buffered_bytes": "Bytes held for mirroring and recording.",
    "connections": "Client connections.",
    "tunnels": "WebSocket tunnels.",
    "breaker_open": "Workers whose breaker for the candidate is not closed.",
    "gc_pause_seconds": "The longest last garbage collection of a worker.",
    "cpu_throttled_ratio": "Share of the CPU quota's periods in which a worker was stopped, within the last second.",
    "loop_lag_seconds": "How late the slowest worker's event loop was within the last second.",
    "pairs_total": "Pairs recorded, by candidate and result of the comparison.",
    "pairs_agree_total": "Pairs in which the candidate decided as production did.",
    "pairs_decided_total": "Pairs in which it is known whether the decisions agree.",
    "pairs_unlogged_total": "Pairs that finished and are not in the log, by reason.",
    "log_bytes": "Size of the pair log.",
    "log_limit_bytes": "Size of the pair log at which its oldest segments are deleted (keep.size).",
    "sample_ratio": "Share of requests that is copied; 0 while paused.",
    "agreement_ratio": "Share of decided pairs in which the candidate decided as production did.",
    "coverage_ratio": "Share of the pairs that the candidate should have had that are in the log.",
    "gate_state": "1 for the state that the gate is in: PASS, FAIL or INCONCLUSIVE.",
    "gate_estimate": "The figure that a gate is about, in the unit of its limit.",
    "gate_low": "Low end of the gate's figure: FAIL stands on it.",
    "gate_high": "High end of the gate's figure: PASS stands on it.",
    "gate_limit": "What the gate allows.",
    "verdict": "1 for the candidate's verdict: PASS, FAIL or INCONCLUSIVE.",
    "trial_start_timestamp_seconds": "When the first pair of the candidate's trial arrived, in seconds since 1970.",
    "deployments_total": "Changes of production, by action.",
    "pushed_total": "Samples handed to a server of pushed metrics.",
    "push_dropped_total": "Samples that a server of pushed metrics did not get.",
    "shipped_total": "Lines sent to the server of shipped lines.",
    "ship_dropped_total": "Lines that were not shipped: beyond the rate, or the server was away for too long.",
    "build_info": "Always 1; the version is a label.",
    "ready": "Whether requests may be sent here.",
    "generation": "How many configurations have taken effect.",
    "process_restarts_total": "Processes that had to be replaced, by role.",
    "start_time_seconds": "When the proxy was started, in seconds since 1970.",
}


def help_of(name: str) -> str:
    return HELP.get(name, name.replace("_", " ").capitalize() + ".")
