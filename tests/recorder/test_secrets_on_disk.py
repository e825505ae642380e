"""Every byte that a recorder writes is searched for what must not be there, after orderly and hostile traffic alike."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from shadowproxy.pairlog.reader import find
from shadowproxy.settings import snapshot as settings
from shadowproxy.wire import frames
from tests.recorder.test_redaction import HOSTILE, SECRET, card
from tests.support import frames as f
from tests.support.fake_worker import FakeWorker
from tests.support.recorder import RecorderProcess

NAMES = ("Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "Set-Cookie", "X-Unlisted")
PLANTED = tuple(f"{name}: {SECRET}" for name in NAMES)
TARGETS = (f"/p?api_key={SECRET}", f"/p?a=1&Token={SECRET}", f"http://u:{SECRET}@h/p?sig={SECRET}")


def hostile_pairs() -> list[frames.Pair]:
    pairs = []
    for number, body in enumerate((card(), *HOSTILE.values())):
        fields = ("Content-Type: application/json", *PLANTED)
        head = f.head(*fields, first=f"POST {TARGETS[number % len(TARGETS)]} HTTP/1.1")
        for kept in (body, body[: len(body) // 2], gzip.compress(body)):
            coded = (*fields, "Content-Encoding: gzip") if kept[:2] == b"\x1f\x8b" else fields
            exchanges = (
                f.exchange(body=kept, fields=coded),
                f.exchange(frames.TWIN, body, fields=fields),
                f.candidate(0, kept, fields=coded, flags=frames.BODY_TRUNCATED),
                f.candidate(1, b'{"card":{"number":"other"}}', fields=fields),
            )
            pairs.append(f.pair(*exchanges, body=body, head=head))
            pairs.append(f.pair(f.exchange(), f.candidate(0, kept, fields=coded), body=kept, head=head))
            pairs.append(f.pair(*exchanges, body=kept, head=head, flags=frames.REQUEST_TRUNCATED))
    return pairs


def test_no_planted_secret_reaches_the_disk(tmp_path: Path) -> None:
    folder, state = tmp_path / "pairs", tmp_path / "state"
    routes = (
        settings.Route(
            key="json:$.card.number",
            slices=(("who", "header:Authorization"), ("number", "answer:$.card.number"), ("card", "json:$.card")),
            prediction=settings.Prediction(at="$.card.number", kind="label"),
            compare=settings.Compare(headers=("content-type", "set-cookie", "x-unlisted")),
        ),
    )
    redact = settings.Redact(json=("$..card.number",))
    snapshot = f.snapshot(
        str(folder), candidates=2, twin=True, routes=routes, state=str(state),
        pairs={"redact": redact, "headers": (*NAMES[:-1], "Content-Type")},
    )  # fmt: skip
    pairs = hostile_pairs()
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for pair in pairs:
            worker.offer(pair)
            if worker.seq == len(pairs) // 2:
                worker.flush()
                recorder.kill()
                recorder.start()
        worker.settle(30)
        assert set(worker.fates.values()) == {0}
        events = json.dumps(recorder.events) + "".join(recorder.noise)
    written = {path: path.read_bytes() for path in (*folder.iterdir(), *state.iterdir())}
    assert [path for path, data in written.items() if SECRET.encode() in data] == []
    assert SECRET not in events
    log = find([folder])
    copies = [exchange for pair in pairs for exchange in pair.exchanges if exchange.role >= frames.FIRST_CANDIDATE]
    assert len(list(log.pairs())) == len(copies)
    shown = [pair for pair in log.pairs() if pair["src"][2] == 1]
    assert len({json.loads(pair["production"]["body"])["card"]["number"] for pair in shown}) == 1


def test_equal_stays_equal_over_a_restart(tmp_path: Path) -> None:
    routes = (settings.Route(key="json:$.card.number"),)
    redact = settings.Redact(json=("$.card.number",))
    snapshot = f.snapshot(
        str(tmp_path / "pairs"), routes=routes, state=str(tmp_path / "state"), pairs={"redact": redact}
    )
    with RecorderProcess(snapshot) as recorder, FakeWorker(recorder.path, snapshot) as worker:
        for _ in range(2):
            worker.offer(f.pair(body=card()))
            worker.settle()
            recorder.kill()
            recorder.start()
        assert recorder.count("redaction.key_not_kept") == 0
    keys = {pair["key"] for pair in find([tmp_path / "pairs"]).pairs()}
    assert len(keys) == 1
    assert keys.pop().startswith("redacted:")
