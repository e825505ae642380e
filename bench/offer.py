"""The load as a process of its own: a plan comes on stdin, `begin`, `end` and the outcome go out as they happen."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from dataclasses import asdict

import uvloop

from shadowproxy.bench.address import Address
from shadowproxy.bench.openloop import offer
from shadowproxy.bench.plan import Plan


def encode(plan: Plan) -> bytes:
    return json.dumps({**asdict(plan), "requests": [each.decode("latin-1") for each in plan.requests]}).encode()


def decode(text: bytes) -> Plan:
    fields = json.loads(text)
    requests = [each.encode("latin-1") for each in fields["requests"]]
    return Plan(**{**fields, "address": Address(**fields["address"]), "requests": requests})


def main() -> None:
    plan = decode(sys.stdin.buffer.read())
    gc.freeze()
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(offer(plan, lambda mark: print(mark, flush=True)))
    print(json.dumps(outcome.as_dict()), flush=True)


if __name__ == "__main__":
    main()
