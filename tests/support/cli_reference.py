"""docs/cli.md, made from the commands themselves: python -m tests.support.cli_reference > docs/cli.md"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from shadowproxy.cli.group import COMMANDS, load

_HEAD = """# The command line

Made from the commands themselves: `python -m tests.support.cli_reference > docs/cli.md`. `shadowproxy COMMAND --help`
says the same. Results go to stdout, logs and progress to stderr. `--debug`, anywhere, shows the traceback of an error.
Queries to copy are in [queries.md](queries.md), the configuration in [configuration.md](configuration.md).

| exit | meaning |
|---|---|
| 0 | done; verdict PASS, or nothing was judged; a broken pipe |
| 1 | verdict FAIL; a promotion refused; a threshold missed |
| 2 | usage or configuration |
| 3 | verdict INCONCLUSIVE; a log without pairs |
| 4 | input, output, a missing path, anything unexpected |
| 130 | interrupted |
"""


def page() -> str:
    return "\n".join([_HEAD, *(line for name in COMMANDS for line in _command(name))])


def _command(name: str) -> Iterator[str]:
    entry = COMMANDS[name]
    command = load(name, entry)
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    yield " ".join([f"## `{name}", *arguments]) + "`"
    yield ""
    yield _prose(command.help or entry.summary)
    yield ""
    yield "```"
    yield from entry.examples
    yield "```"
    yield ""
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        yield "| option | |"
        yield "|---|---|"
        yield from (_row(option, command) for option in options)
        yield ""


def _prose(text: str) -> str:
    """Without the examples, which stand in front."""
    return " ".join(part for part in text.split("\n\n") if not part.startswith("\b")).replace("\n", " ")


def _row(option: click.Option, command: click.Command) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" `{option.make_metavar(click.Context(command))}`"
    default: Any = option.default if option.show_default else None
    shown = f" Default: `{default}`." if isinstance(default, str | int | float) and default != "" else ""
    cells = [text.replace("|", "\\|") for text in (names + value, (option.help or "") + shown)]
    return f"| {cells[0]} | {cells[1]} |"


if __name__ == "__main__":
    sys.stdout.write(page())
