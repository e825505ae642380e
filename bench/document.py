"""docs/performance.md: each experiment's tables stand between two marks that bear its name."""

from __future__ import annotations

from pathlib import Path

PLACE = Path(__file__).parent.parent / "docs" / "performance.md"


def marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"


def write_into(document: Path, name: str, text: str) -> None:
    """Replaces what stands between the marks. Raises ValueError where the document has none of that name."""
    begin, end = marks(name)
    head, found, rest = document.read_text(encoding="utf-8").partition(begin)
    _, also, tail = rest.partition(end)
    if not found or not also:
        raise ValueError(f"{document} has no place for {name}: write {begin.strip()} and {end} on lines of their own")
    document.write_text(f"{head}{begin}{text}\n{end}{tail}", encoding="utf-8")
