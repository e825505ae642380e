"""Lines made by the log's own writer, from answers compared by the comparison itself, come out as the right figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shadowproxy.compare import Answer, assess, compare, compile_rules
from shadowproxy.pairlog.body import StoredBody
from shadowproxy.pairlog.record import (
    ExchangeRecord,
    Head,
    Timing,
    comparison_record,
    exchange_record,
    ledger_lines,
    pair_line,
    request_record,
    timestamp,
)
from shadowproxy.settings.snapshot import Prediction, Route
from tests.support.reports import figures_on

RULES = compile_rules(Route(prediction=Prediction(at="$.labels[*]", kind="label")))
TARGET = "/predict"


def side(labels: list[Any], status: int = 200) -> tuple[Answer, bytes]:
    body = ('{"labels": [' + ", ".join(f'"{label}"' for label in labels) + "]}").encode()
    return Answer(True, status, (("content-type", "application/json"),), body, False), body


def exchange(upstream: str, answer: tuple[Answer, bytes], bad: bool, ms: float) -> dict[str, Any]:
    timing = Timing(0, 0, 1_000_000, round((1 + ms) * 1e6), round((1 + ms) * 1e6), 0)
    body = StoredBody(answer[1].decode(), "utf8", False)
    record = ExchangeRecord(
        upstream, "", "complete", None, None, bad, answer[0].status, (), len(answer[1]), timing, None
    )
    return exchange_record(record, body)


def line(number: int, old: list[Any], new: list[Any], status: int = 200) -> bytes:
    production, shadow = side(old), side(new, status)
    a, b = (assess(RULES, "POST", TARGET, answer) for answer, _ in (production, shadow))
    head = Head(f"r{number}", None, timestamp(1772373600_000000 + number), (0, 1, number), "live", "default", "", "v1",
                False, {})  # fmt: skip
    return pair_line(
        f"pair-{number}",
        head,
        "v2-1",
        "v2",
        request_record("POST", TARGET, (), StoredBody("{}", "utf8", False), 2),
        exchange("v1", production, a.bad, 10),
        exchange("v2", shadow, b.bad, 20),
        None,
        comparison_record(compare(RULES, a, b).as_dict(), "shadow", 10.0, False),
        None,
    )


def test_from_answers_to_figures(tmp_path: Path) -> None:
    lines = [
        *(line(number, ["cat", "dog"], ["cat", "dog"]) for number in range(12)),
        line(12, ["cat", "dog"], ["cat", "cow"]),
        line(13, ["x"], ["y"]),
        line(14, ["x"], ["x"], status=503),
    ]
    row = {"trial": "v2-1", "candidate": "v2", "route": "default", "requests": 15, "unmatched": 0, "excluded": {},
           "eligible": 15, "sampled_out": 0, "dropped": {}, "sent": 15, "in_flight": 0, "finished": {"complete": 15},
           "logged": 15, "unlogged": {}}  # fmt: skip
    (tmp_path / "pairs-1.jsonl").write_bytes(b"".join(lines))
    (tmp_path / "ledger-1.jsonl").write_bytes(ledger_lines([row], timestamp(1772373660_000000), 0, 1))
    figures = figures_on(tmp_path)
    assert (figures.pairs, figures.coverage.estimate) == (15, 1.0)
    assert (figures.disagreement.estimate, figures.disagreement.n) == (2 / 14, 14)
    assert (figures.item_disagreement.estimate, figures.item_disagreement.n) == (2 / 27, 27)  # 13 · 2 + 1 items
    assert {(flow.old, flow.new, flow.count) for flow in figures.classes} == {("dog", "cow", 1), ("x", "y", 1)}
    assert (figures.errors.b, figures.errors.n) == (1, 15)
    assert figures.incomparable.reasons == {"shadow_bad": 1}
    assert {field.path for field in figures.fields} == {"$.labels[*]"}
    assert (figures.latency_ms.pairs, figures.latency_ms.slower) == (14, 14)
    assert figures.latency_ms.difference["p50"] == 10.0
