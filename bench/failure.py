"""What every measurement may raise."""

from __future__ import annotations


class MeasurementError(Exception):
    """Something did not start or did not answer; the message says which and what it said."""
