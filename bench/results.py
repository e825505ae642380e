"""What was measured, kept as JSON in bench/results/, which git ignores."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

PLACE = Path(__file__).parent / "results"


def keep(name: str, what: dict[str, object]) -> Path:
    """Writes NAME-TIME.json and says so on stderr."""
    now = datetime.now(UTC)
    PLACE.mkdir(exist_ok=True)
    file = PLACE / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps({"at": now.isoformat(), **what}, indent=1), encoding="utf-8")
    print(f"kept in {file}", file=sys.stderr)
    return file
