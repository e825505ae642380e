"""The load as a process of its own: a plan comes on stdin, `begin`, `end` and the outcome go out as they happen."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

from shadowproxy.bench.openloop import new_loop, offer
from shadowproxy.bench.plan import Plan


def encode(plan: Plan) -> bytes:
    return json.dumps({**asdict(plan), "request": plan.request.decode("latin-1")}).encode()


def decode(text: bytes) -> Plan:
    fields = json.loads(text)
    return Plan(**{**fields, "request": fields["request"].encode("latin-1")})


def main() -> None:
    plan = decode(sys.stdin.buffer.read())
    with asyncio.Runner(loop_factory=lambda: new_loop(plan.connections)) as runner:
        outcome = runner.run(offer(plan, lambda mark: print(mark, flush=True)))
    print(json.dumps(outcome.as_dict()), flush=True)


if __name__ == "__main__":
    main()
