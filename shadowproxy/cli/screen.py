"""Lines in colour. Text is printed as it is: never read as markup, never wrapped, nothing in it highlighted."""

from __future__ import annotations

from collections.abc import Iterable


def put_styled(lines: Iterable[tuple[str, str]]) -> None:
    """Print (style, text) lines to stdout in colour."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for style, line in lines:
        console.print(Text(line, style=style))
