"""The whole way: a file and flags in, a snapshot out, or every problem at once."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shadowproxy.settings.build import build
from shadowproxy.settings.checks import check
from shadowproxy.settings.complaints import complaints
from shadowproxy.settings.effective import as_yaml, effective
from shadowproxy.settings.environment import fill_in, lay_under
from shadowproxy.settings.model import Settings
from shadowproxy.settings.overrides import Overrides, lay_over
from shadowproxy.settings.problem import KeyPath, Problem, SettingsError
from shadowproxy.settings.settle import settle
from shadowproxy.settings.snapshot import Candidate, Snapshot
from shadowproxy.settings.source import read_file
from shadowproxy.settings.source.document import Document

__all__ = ["Loaded", "Overrides", "Problem", "SettingsError", "load", "load_candidate"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can take effect."""

    path: str | None
    settings: Settings  # settled
    snapshot: Snapshot
    from_environment: frozenset[KeyPath]

    def effective(self, masked: bool = True) -> dict[str, Any]:
        """The configuration with its defaults, as plain values in the file's spelling."""
        return effective(self.settings, masked=masked, from_environment=self.from_environment)

    def text(self, masked: bool = True) -> str:
        """The same as YAML."""
        return as_yaml(self.effective(masked))


def load(
    path: str | None = None,
    overrides: Overrides | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Read `path` (None: no file), lay the flags over it, check all of it.

    Raises SettingsError with every problem found, OSError where the file cannot be read. Relative paths inside are
    taken from the working directory.
    """
    overrides = overrides or Overrides()
    document = read_file(path) if path is not None else Document("", {})
    variables = os.environ if environment is None else environment
    filled = fill_in(document, variables) | lay_under(document, variables)
    lay_over(document, overrides)
    settings = _validate(document)
    if overrides.log_format not in (None, "console", "json"):
        message = f"expected console or json, there was {overrides.log_format!r}"
        document.problems.append(Problem("--log-format", 0, "", message))
    if document.problems or settings is None:
        raise SettingsError(_in_order(document.problems))
    settled = settle(settings)
    return Loaded(path, settled, build(settled, overrides.log_format or "json"), frozenset(filled))


def load_candidate(tree: Any, snapshot: Snapshot) -> Candidate:
    """One candidate as a section of a file would say it, under the gates of the configuration in force.

    Nothing is filled in from the environment. Raises SettingsError, whose keys begin with the candidate's own.
    """
    whole: dict[str, Any] = {
        "production": {"url": "http://stand-in.invalid", "name": snapshot.production.name},
        "candidates": [copy.deepcopy(tree)],
    }
    if snapshot.gates is not None:
        whole["gates"] = list(snapshot.gates)
    document = Document("", whole)
    settings = _validate(document)
    if document.problems or settings is None:
        own = "candidates[0]"
        problems = [Problem("", 0, p.key.removeprefix(own).removeprefix("."), p.message) for p in document.problems]
        raise SettingsError(_in_order(problems))
    (candidate,) = build(settle(settings), "json").candidates
    return candidate


def _validate(document: Document) -> Settings | None:
    """The model of the tree; faults join `document.problems`. One fault a key: a value whose variable is missing is not
    also refused for its looks."""
    told = {(problem.file, problem.line, problem.key) for problem in document.problems}
    faulty: set[str] = set()
    try:
        settings = Settings.model_validate(document.tree)
    except ValidationError as e:
        for path, message in complaints(e):
            problem = document.problem(path, message)
            faulty.update(str(step) for step in path[:1])
            if (problem.file, problem.line, problem.key) not in told:
                document.problems.append(problem)
        partial = _without(document.tree, faulty)
        if partial is None:
            return None
        settings = partial
    for path, message in check(settings, frozenset(faulty)):
        document.problems.append(document.problem(path, message))
    return settings


def _without(tree: Any, faulty: set[str]) -> Settings | None:
    """The sections that are free of faults, so that the checks across keys can speak too. Stand-ins are never used."""
    if not isinstance(tree, dict):
        return None
    kept = copy.deepcopy({key: value for key, value in tree.items() if key not in faulty})
    if "production" in faulty:
        kept["production"] = {"url": "http://stand-in.invalid"}
    try:
        return Settings.model_validate(kept)
    except ValidationError:
        return None


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Flags last, the file's faults by line; each sentence once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file.startswith("--"), problem.line))
