"""The load as a process of its own: a plan comes on stdin, `begin`, `end` and the outcome go out as they happen."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench.failure import MeasurementError
from shadowproxy.bench.address import Address
from shadowproxy.bench.openloop import offer
from shadowproxy.bench.plan import Plan

_PATIENCE_S = 30.0
_CLONE = Path(__file__).parent.parent  # `python -m` finds the package here, installed or not


def encode(plan: Plan) -> bytes:
    return json.dumps({**asdict(plan), "requests": [each.decode("latin-1") for each in plan.requests]}).encode()


def decode(text: bytes) -> Plan:
    fields = json.loads(text)
    requests = [each.encode("latin-1") for each in fields["requests"]]
    return Plan(**{**fields, "address": Address(**fields["address"]), "requests": requests})


async def offered(plan: Plan, core: int, mark: Callable[[str], None]) -> dict[str, Any]:
    """The outcome of a plan that a process of its own offers from a core; `mark` hears "begin" and "end" at once.

    Raises MeasurementError when the load could not be offered.
    """
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.offer",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_CLONE,
            limit=1 << 20,
        )
    finally:
        os.sched_setaffinity(0, mine)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(encode(plan))
        child.stdin.write_eof()
        async with asyncio.timeout(plan.warmup_s + plan.duration_s + plan.grace_s + _PATIENCE_S):
            for expected in ("begin", "end"):
                if (await child.stdout.readline()).decode().strip() != expected:
                    raise MeasurementError(f"the load could not be offered to {plan.address.url}; see above")
                mark(expected)
            outcome: dict[str, Any] = json.loads(await child.stdout.readline())
            await child.wait()
            return outcome
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def main() -> None:
    plan = decode(sys.stdin.buffer.read())
    gc.freeze()
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(offer(plan, lambda mark: print(mark, flush=True)))
    print(json.dumps(outcome.as_dict()), flush=True)


if __name__ == "__main__":
    main()
