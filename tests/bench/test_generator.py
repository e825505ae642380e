"""The load beside wrk: its output is read right, and the model that delays is the same for both."""

from __future__ import annotations

from statistics import fmean

import pytest

from bench.delaying import DELAYS_S
from bench.failure import MeasurementError
from bench.generator import Run, parse_wrk

SAID = """\
Running 4s test @ http://127.0.0.1:19181/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   166.38us  267.27us   7.99ms   98.99%
    Req/Sec   164.47k     4.27k  169.68k    77.50%
  Latency Distribution
     50%  162.00us
     75%    1.20ms
     90%    1.91ms
     99%    2.00s
  653512 requests in 4.00s, 100.00MB read
Requests/sec: 163378.05
Transfer/sec:     25.00MB
"""


def test_what_wrk_prints_is_read_in_ms() -> None:
    assert parse_wrk(SAID) == Run(163378.05, {"p50": 0.162, "p75": 1.2, "p90": 1.91, "p99": 2000.0})


@pytest.mark.parametrize(
    "said",
    [
        "",
        SAID.replace("     99%    2.00s\n", ""),
        SAID + "  Non-2xx or 3xx responses: 3\n",
        SAID + "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
    ],
)
def test_a_run_that_failed_is_no_figure(said: str) -> None:
    with pytest.raises(MeasurementError, match="wrk said"):
        parse_wrk(said)


def test_no_delay_is_above_twice_the_mean_where_wrk_would_make_latencies_up() -> None:
    ordered = sorted(DELAYS_S)
    assert (ordered[0], ordered[48], ordered[-1]) == pytest.approx((0.004, 0.008, 0.012))
    assert ordered[-1] < 2 * fmean(DELAYS_S)
    assert list(DELAYS_S) != ordered
