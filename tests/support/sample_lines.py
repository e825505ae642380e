"""Lines of the log that a few hundred made-up pairs come to, the same in every process: `python -m` prints them."""

from __future__ import annotations

import gzip
import sys
from functools import partial
from itertools import count, product
from pathlib import Path

import shadowproxy.recorder.lines as lines
from shadowproxy.core import outcome
from shadowproxy.recorder.plan import compile_plan
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from tests.support import frames as f

JSON = ("Content-Type: application/json",)
BODIES = (
    b"",
    b'{"label":"a"}',
    b'{"label":"b","score":1}',
    b'{"label":"b","score":1.0}',
    b'{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[0.2,0.3,0.5]}]}',
    b'{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[0,1,0]}]}',
    b'{"a":[1,2,{"b":null,"c":true,"d":1e400,"e":123456789012345678901234567890}],"user":{"email":"x@y.z"}}',
    b'{"a":"\\u00e9 \xc3\xa9 \\"","user":{"email":"other"}}',
    b"\x00\xff\xfe no text",
    b"plain text, no JSON",
)
FIELDS = (
    (JSON, lambda body: body),
    ((*JSON, "Content-Encoding: gzip", "Server: a"), partial(gzip.compress, mtime=0)),
    (("Content-Type: text/event-stream",), lambda body: b"data: " + body + b"\n\ndata: [DONE]\n\n"),
    (("Content-Type: text/plain", "Set-Cookie: secret"), lambda body: body),
)
ENDS = (
    {},
    {"status": 503, "ms": 0.0004},
    {"status": 0, "result": outcome.TIMEOUT, "error": b"No whole answer within 1 s.", "first_byte": -1},
    {"flags": frames.BODY_TRUNCATED | frames.WARMING, "stalled": 1_234_567, "connect": 999},
)


def sample() -> bytes:
    rules = settings.Redact(json=("$.user.email",))
    snapshot = f.snapshot("log", candidates=2, twin=True, pairs={"redact": rules})
    plan = compile_plan(snapshot, snapshot.pairs, b"k" * 32)
    numbers = count()
    out = []
    for (body, other), (fields, wire), end in product(zip(BODIES, BODIES[1:] + BODIES[:1], strict=True), FIELDS, ENDS):
        pair = f.pair(
            f.exchange(body=wire(body), fields=fields),
            f.exchange(frames.TWIN, wire(body), fields=fields),
            f.candidate(0, wire(body), fields=fields, **end),
            f.candidate(1, wire(other), fields=fields, **end),
            body=other,
            arrival_us=f.ARRIVAL_US + len(out),
        )
        made = lines.lines_of(plan, pair, (0, f.BOOT, len(out)), lambda: f"id-{next(numbers)}", ())
        out += [line.data for line in made]
    return b"".join(out)


if __name__ == "__main__":
    print(Path(lines.__file__).suffix, file=sys.stderr)
    sys.stdout.buffer.write(sample())
