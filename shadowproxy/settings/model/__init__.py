"""The file's shape: one class a section, one field a key, with its default as people write it and what it means.

A field's description is what `shadowproxy schema` and docs/configuration.md say about the key.
"""

from __future__ import annotations

from shadowproxy.settings.model.root import Settings

__all__ = ["Settings"]
