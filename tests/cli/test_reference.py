"""docs/cli.md names every command and every option, with what their help says."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from shadowproxy.cli.group import COMMANDS, load
from tests.support.cli_reference import page

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_all_of_its_options_are_documented(name: str) -> None:
    command = load(name, COMMANDS[name])
    _, _, section = PAGE.partition(f"\n## `{name}")
    section = section.partition("\n## `")[0]
    assert section, f"{name} is missing: python -m tests.support.cli_reference > docs/cli.md"
    options = [option for option in command.params if isinstance(option, click.Option)]
    missing = [name for option in options for name in option.opts if f"`{name}`" not in section]
    assert missing == [], "python -m tests.support.cli_reference > docs/cli.md"


def test_no_command_is_documented_that_is_not_there() -> None:
    named = {line.removeprefix("## `").rstrip("`").split()[0] for line in PAGE.splitlines() if line.startswith("## `")}
    assert named == set(COMMANDS)


def test_the_page_begins_as_it_is_made() -> None:
    assert page().partition("\n## ")[0] == PAGE.partition("\n## ")[0]
