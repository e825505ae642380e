"""What all sections have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shadowproxy.settings.source.document import Plain


def optional(default: Any, description: str, *, alias: str | None = None, min_length: int | None = None) -> Any:
    """A key that may be left out. Its default stands as people write it, and is read like any value of the file.

    A section's default is made anew each time: relative paths in it are meant from where the process is then.
    """
    if isinstance(default, Section):
        return Field(default_factory=type(default), description=description, alias=alias)
    return Field(default=default, description=description, alias=alias, min_length=min_length)


def required(description: str) -> Any:
    """A key that has no default."""
    return Field(description=description)


class Section(BaseModel):
    """Unknown keys are errors. A key without a value (`gates:` with nothing behind it) counts as not given."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, validate_by_alias=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        keys = set(cls.keys())
        return {key: value for key, value in data.items() if not (key in keys and is_empty(value))}

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The section's keys as the file spells them."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    def values(self) -> dict[str, Any]:
        """The section's own values as Python holds them (seconds, bytes), for records that share its field names."""
        return {name: getattr(self, name) for name in type(self).model_fields}


def is_empty(value: Any) -> bool:
    """Nothing was written behind the key."""
    return value is None or (isinstance(value, Plain) and value in ("", "~", "null"))
