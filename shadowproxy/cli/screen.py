"""Text on stdout, as it is: never read as markup, never wrapped, and never a reason to fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import click


def wants_colour() -> bool:
    """A terminal, and nobody said NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def put(text: str) -> None:
    """Print without colour; signs that the locale's encoding lacks become question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)


def put_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print (style, text) lines, in colour where that is wanted."""
    if not wants_colour():
        for _, line in lines:
            put(line + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for style, line in lines:
        console.print(Text(line, style=style))
