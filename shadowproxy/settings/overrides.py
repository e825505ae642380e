"""Flags of the command line, laid over the file's tree before it is checked: flags win, and faults name the flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shadowproxy.settings.problem import KeyPath, Problem, suggestion
from shadowproxy.settings.source.document import Document
from shadowproxy.settings.units import parse_share

EXPECTATIONS = ("same", "similar", "different")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What was given on the command line, as it was typed; None or empty: not given."""

    listen: str | None = None
    production: str | None = None
    candidates: tuple[str, ...] = ()  # NAME=URL; a NAME of the file gets this URL, any other is added
    twin: str | None = None
    sample: str | None = None  # of the twin and every candidate
    expect: str | None = None  # of every candidate
    admin: str | None = None
    pairs: str | None = None
    workers: str | None = None
    log_format: str | None = None


def lay_over(document: Document, overrides: Overrides) -> None:
    """Change `document.tree` in place. What the file has in the wrong shape stays, for the model to refuse."""
    if document.tree is None:
        document.tree = {}
    if not isinstance(document.tree, dict):
        return
    for flag, path, value in (
        ("--listen", ("listen",), overrides.listen),
        ("--workers", ("workers",), overrides.workers),
        ("--admin", ("admin", "listen"), overrides.admin),
        ("--pairs", ("pairs", "dir"), overrides.pairs),
        ("--production", ("production", "url"), overrides.production),
        ("--twin", ("twin", "url"), overrides.twin),
    ):
        if value is not None:
            _put(document, path, value, flag)
    if overrides.production is not None and isinstance(document.tree.get("production"), dict):
        document.tree["production"].pop("urls", None)
    for text in overrides.candidates:
        _candidate(document, text)
    _for_all(document, overrides)


def _put(document: Document, path: tuple[str, ...], value: str, flag: str) -> None:
    here = document.tree
    for step in path[:-1]:
        if here.get(step) is None or here[step] == "":
            here[step] = {}
            document.places[path[:1]] = (flag, 0)
        here = here[step]
        if not isinstance(here, dict):
            return
    here[path[-1]] = value
    document.places[path] = (flag, 0)


def _candidate(document: Document, text: str) -> None:
    flag = f"--candidate {text}"
    name, equals, url = text.partition("=")
    if not equals or not name or not url:
        document.problems.append(Problem(flag, 0, "", "expected NAME=URL as in v2=http://127.0.0.1:9002"))
        return
    candidates = document.tree.get("candidates")
    if candidates is None or candidates == "":
        candidates = document.tree["candidates"] = []
    if not isinstance(candidates, list):
        return
    for index, candidate in enumerate(candidates):
        if isinstance(candidate, dict) and candidate.get("name") == name:
            place: KeyPath = ("candidates", index, "url")
            twice = document.places.get(place, ("", 0))[0].startswith("--candidate")
            if twice:
                document.problems.append(Problem(flag, 0, "", f"expected each name once, {name} is given twice"))
            candidate["url"] = url
            document.places[place] = (flag, 0)
            return
    index = len(candidates)
    candidates.append({"name": name, "url": url})
    for path in (("candidates", index), ("candidates", index, "name"), ("candidates", index, "url")):
        document.places[path] = (flag, 0)


def _for_all(document: Document, overrides: Overrides) -> None:
    """`--sample` and `--expect`: checked here, so that a fault is told once and not once a candidate."""
    tree = document.tree
    candidates = [c for c in tree.get("candidates") or () if isinstance(c, dict)]
    twin = [tree["twin"]] if isinstance(tree.get("twin"), dict) else []
    if overrides.sample is not None:
        try:
            parse_share(overrides.sample)
        except ValueError as e:
            document.problems.append(Problem("--sample", 0, "", str(e)))
        else:
            _set_each([*twin, *candidates], "sample", overrides.sample)
    if overrides.expect is not None:
        if overrides.expect not in EXPECTATIONS:
            expected = f"expected same, similar or different, there was {overrides.expect!r}"
            near = suggestion(overrides.expect, EXPECTATIONS)
            document.problems.append(Problem("--expect", 0, "", expected + near))
        else:
            _set_each(candidates, "expect", overrides.expect)


def _set_each(upstreams: list[dict[str, Any]], key: str, value: str) -> None:
    for upstream in upstreams:
        upstream[key] = value
