"""Answers and rules in one line, for tests."""

from __future__ import annotations

from typing import Any

from shadowproxy.compare import Answer, Assessed, Comparison, Rules, assess, compare, compile_rules
from shadowproxy.settings import snapshot

JSON = "application/json"
INFER = ("POST", "/v2/models/digits/infer")
ANY = ("POST", "/predict")


def answer(body: bytes | None, status: int = 200, type_: str | None = JSON, **more: Any) -> Answer:
    headers = (("Content-Type", type_),) if type_ is not None else ()
    return Answer(
        complete=more.pop("complete", True),
        status=status,
        headers=(*headers, *more.pop("headers", ())),
        body=body,
        truncated=more.pop("truncated", False),
        **more,
    )


def rules(prediction: snapshot.Prediction | None = None, protocol: str = "auto", **compare: Any) -> Rules:
    return compile_rules(snapshot.Route(prediction=prediction, protocol=protocol, compare=snapshot.Compare(**compare)))


def assessed(body: bytes | None, by: Rules | None = None, request: tuple[str, str] = ANY, **more: Any) -> Assessed:
    return assess(by or rules(), *request, answer(body, **more))


def compared(
    production: bytes | None, other: bytes | None, by: Rules | None = None, request: tuple[str, str] = ANY, **more: Any
) -> Comparison:
    by = by or rules()
    return compare(by, assessed(production, by, request, **more), assessed(other, by, request, **more))


def kinds(comparison: Comparison) -> list[tuple[str, str]]:
    return [(difference.path, difference.kind) for difference in comparison.differences]
