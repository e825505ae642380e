"""The JSON Schema accepts what loads and refuses what an editor can see to be wrong."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from shadowproxy.settings.load import load
from shadowproxy.settings.scalar import native
from shadowproxy.settings.schema import json_schema
from shadowproxy.settings.source.yaml import read_yaml
from tests.settings.mini_schema import violations
from tests.settings.reference import FULL, REPOSITORY, switched_on

SCHEMA = json_schema()


def as_editors_read(text: str) -> Any:
    """YAML 1.2: only true and false are booleans, dates are text."""

    def meaning(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: meaning(item) for key, item in value.items()}
        return [meaning(item) for item in value] if isinstance(value, list) else native(value, quoted_too=False)

    return meaning(read_yaml("f", text).tree)


def faults(text: str) -> list[str]:
    return list(violations(as_editors_read(text), SCHEMA, SCHEMA))


STARTER = resources.files("shadowproxy.settings").joinpath("starter.yaml").read_text()
MINIMAL = (REPOSITORY / "config" / "minimal.yaml").read_text()


def without_empty(value: Any) -> Any:
    """Editors complain about a key with nothing behind it; we read it as not given."""
    if isinstance(value, dict):
        return {key: without_empty(item) for key, item in value.items() if item is not None}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", [MINIMAL, STARTER, FULL.read_text(), switched_on(FULL.read_text())])
def test_the_examples_obey_the_schema(text: str) -> None:
    tree = without_empty(as_editors_read(text))
    assert list(violations(tree, SCHEMA, SCHEMA)) == []


def test_what_check_prints_obeys_the_schema() -> None:
    assert faults(load(str(FULL), None, {}).text()) == []


ACCEPTED = [
    "workers: auto",
    "workers: ${N}",
    "answer_request_id: on",
    "answer_request_id: ${X:-on}",
    "limits: {body: 0, head: 1.5KiB, drain: 1h30m}",
    "statistics: {coverage: 0.9, confidence: 95%}",
    "pairs: {bodies: '${BODIES}'}",
    "admin: {listen: off}",
    "candidates: [{name: a, url: 'http://a:1', timeout: auto, stop: {after: never}, json: {set: {$.a: [1]}}}]",
]
REFUSED = [
    ("listn: x", ".listn: unknown"),
    ("workers: 0", ".workers: 0 is none of what is allowed"),
    ("workers: x", ".workers: 'x' is none of what is allowed"),
    ("statistics: {coverage: 1}", ".statistics.coverage: 1 is none of what is allowed"),
    ("limits: {drain: 20}", ".limits.drain: 20 is none of what is allowed"),
    ("limits: {drain: 20sec}", ".limits.drain: '20sec' is none of what is allowed"),
    ("limits: {body: 64k}", ".limits.body: '64k' is none of what is allowed"),
    ("pairs: {bodies: some}", ".pairs.bodies: 'some' is none of what is allowed"),
    ("candidates: [{name: a}]", ".candidates[0]: {'name': 'a'} against ['name', 'url']"),
    ("candidates: [{name: a, url: 'http://a:1/x'}]", ".candidates[0].url: 'http://a:1/x' is none of what is allowed"),
    ("routes: [{match: {path: v1}}]", ".routes: [{'match': {'path': 'v1'}}] is none of what is allowed"),
]
BASE = "production: {url: 'http://p:1'}\n"


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_schema_accepts_what_people_write(text: str) -> None:
    assert faults(BASE + text) == []


@pytest.mark.parametrize(("text", "fault"), REFUSED)
def test_the_schema_refuses_what_would_not_load(text: str, fault: str) -> None:
    assert faults(BASE + text) == [fault]


def test_the_schema_is_json_and_describes_every_key() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    sections = [SCHEMA, *SCHEMA["$defs"].values()]
    undescribed = [
        key
        for section in sections
        for key, about in section.get("properties", {}).items()
        if "description" not in about
    ]
    assert undescribed == []
    assert "production" in SCHEMA["required"]
