"""What ends the demo early."""

from __future__ import annotations


class DemoError(Exception):
    """The machine did not allow it, or a process of the demo ended by itself. One sentence."""
