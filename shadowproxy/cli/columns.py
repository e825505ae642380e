"""Plain text in columns, as wide as their longest cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shadowproxy.report.words import plain


def columns(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A line of titles and a line for each row; what came from elsewhere is shown without control characters."""
    cells = [list(titles), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(titles))]
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
