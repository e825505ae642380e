"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes any example slow: what takes too long is found by pytest's own timeout.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
