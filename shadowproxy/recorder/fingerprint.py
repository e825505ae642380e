"""What an answer says of the software that made it: written beside it, so that a change within a trial is seen.

    server              the header
    model_version       Open Inference Protocol, and whoever else names it so
    system_fingerprint  OpenAI and what speaks like it

Versions are each model's own, as one server may hold several: `model_version of digits=3; server=TritonServer`. Only
whole answers that are not bad are asked: an error page is often somebody else's.
"""

from __future__ import annotations

from typing import Any, Final

SEPARATOR: Final = "; "
_SAID: Final = ("model_version", "system_fingerprint")
_MODELS: Final = ("model_name", "model")
_LONGEST: Final = 100  # characters of one value

_asked: Final = frozenset(_SAID)


def fingerprint(server: str | None, value: Any) -> str | None:
    """`value` is the answer's JSON as it may be shown. None where nothing is said."""
    said = []
    if value.__class__ is dict and not _asked.isdisjoint(value):
        model = next((f" of {_plain(value[name])}" for name in _MODELS if value.get(name).__class__ is str), "")
        said = [f"{name}{model}={_plain(value[name])}" for name in _SAID if value.get(name).__class__ in (str, int)]
    if server:
        said.append(f"server={_plain(server)}")
    return SEPARATOR.join(said) or None


def _plain(value: str | int) -> str:
    """On one line, without the signs that part one from the next."""
    return " ".join(str(value)[:_LONGEST].replace(";", ",").replace("=", ":").split())
