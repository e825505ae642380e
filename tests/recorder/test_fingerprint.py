"""What an answer says of the software that made it, and where it stands in a line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadowproxy.core import outcome
from shadowproxy.pairlog.identity import Ids
from shadowproxy.recorder.fingerprint import fingerprint
from shadowproxy.recorder.lines import lines_of
from shadowproxy.recorder.plan import compile_plan
from shadowproxy.wire import frames
from tests.support import frames as f

OIP = {"model_name": "digits", "model_version": "3", "outputs": []}
CHAT = {"model": "gpt", "system_fingerprint": "fp_1", "choices": []}


@pytest.mark.parametrize(
    ("server", "value", "expected"),
    [
        (None, {"label": "a"}, None),
        (None, ["model_version"], None),
        (None, None, None),
        ("uvicorn", None, "server=uvicorn"),
        (None, OIP, "model_version of digits=3"),
        ("TritonServer", OIP, "model_version of digits=3; server=TritonServer"),
        (None, {"model_version": 3}, "model_version=3"),
        (None, {"model_version": True, "system_fingerprint": None}, None),
        (None, {"model_version": {"a": 1}}, None),
        (None, CHAT, "system_fingerprint of gpt=fp_1"),
        ("a; b=c\r\n d", {}, "server=a, b:c d"),
        ("x" * 1000, {}, "server=" + "x" * 100),
    ],
)
def test_what_is_said(server: str | None, value: Any, expected: str | None) -> None:
    assert fingerprint(server, value) == expected


@pytest.mark.parametrize("versions", [(1, True, 1.0), (True, 1, "1"), ("1", 1, True)])
def test_what_was_said_before_is_not_taken_for_what_merely_equals_it(versions: tuple[Any, ...]) -> None:
    expected = {int: "model_version=1", str: "model_version=1", bool: None, float: None}
    for version in versions * 2:
        assert fingerprint(None, {"model_version": version}) == expected[type(version)]


def lines(*exchanges: frames.Exchange) -> list[dict[str, Any]]:
    snapshot = f.snapshot("log", candidates=2, twin=True)
    plan = compile_plan(snapshot, snapshot.pairs, b"k" * 32)
    return [json.loads(line.data) for line in lines_of(plan, f.pair(*exchanges), (0, f.BOOT, 1), Ids().next)]


def test_every_whole_answer_that_is_not_bad_has_one() -> None:
    fields = ("Content-Type: application/json", "Server: uvicorn")
    new = json.dumps({**OIP, "model_version": "4"}).encode()
    old = json.dumps(OIP).encode()
    [v2, v3] = lines(
        f.exchange(body=old, fields=fields),
        f.exchange(frames.TWIN, old, fields=fields[:1]),
        f.candidate(0, new, fields=fields),
        f.candidate(1, new, fields=("Server: nginx",), status=502),
    )
    said = [v2[role]["fingerprint"] for role in ("production", "twin", "shadow")]
    assert said == ["model_version of digits=3; server=uvicorn", "model_version of digits=3",
                    "model_version of digits=4; server=uvicorn"]  # fmt: skip
    # An error page is often that of whatever stands in front.
    assert v3["shadow"]["fingerprint"] is None
    [dropped] = lines(f.exchange(), f.candidate(0, b"", status=0, result=outcome.TIMEOUT))
    assert dropped["shadow"]["fingerprint"] is None
