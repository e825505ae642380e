"""scipy.special, not before it is asked for: importing it takes 0.3 s, and who counts a log need not wait for it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """A function of scipy.special, kept here from then on. Raises AttributeError as a module does."""
    if name.startswith("__"):
        raise AttributeError(name)
    found = globals()[name] = getattr(import_module("scipy.special"), name)
    return found
