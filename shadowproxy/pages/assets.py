"""Files of this room by name, and the hash by which a Content-Security-Policy knows what is written into a page."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Final

BASE_CSS: Final = "base.css"
FIGURES_CSS: Final = "figures.css"
REPORT_CSS: Final = "report.css"
UPLOT_JS: Final = "uplot/uPlot.iife.min.js"
UPLOT_CSS: Final = "uplot/uPlot.min.css"


@cache
def raw(name: str) -> bytes:
    """Raises FileNotFoundError for a name that is not here."""
    return resources.files(__package__).joinpath(name).read_bytes()


def text(name: str) -> str:
    return raw(name).decode("utf-8")


def source(inline: str) -> str:
    """CSP's source expression for one inline style or script: its very text and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
