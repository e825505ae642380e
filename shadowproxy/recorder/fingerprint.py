"""What an answer says of the software that made it: written beside it, so that a change within a trial is seen.

    server              the header
    model_version       Open Inference Protocol, and whoever else names it so
    system_fingerprint  OpenAI and what speaks like it

Versions are each model's own, as one server may hold several: `model_version of digits=3; server=TritonServer`. Only
whole answers that are not bad are asked: an error page is often somebody else's.
"""

from __future__ import annotations

from typing import Any, Final

from shadowproxy.pairlog.fingerprint import SERVER, joined

_SAID: Final = ("model_version", "system_fingerprint")
_NAMES: Final = (*_SAID, "model_name", "model")
_LONGEST: Final = 100  # characters of one value
_REMEMBERED: Final = 1024

_asked: Final = frozenset(_SAID)
_known: dict[tuple[Any, ...], str | None] = {}  # by the server, what is said and the models


def fingerprint(server: str | None, value: Any) -> str | None:
    """`value` is the answer's JSON as it may be shown. None where nothing is said."""
    is_asked = value.__class__ is dict and not _asked.isdisjoint(value)
    key = (server, *[value.get(name) for name in _NAMES]) if is_asked else (server,)
    # Answer for answer it is the same. Only texts are remembered: to a dictionary True is 1, and 1.0 too.
    for one in key:
        if one is not None and (one.__class__ is not str or len(one) > _LONGEST):
            return _told(*key)
    if key not in _known:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[key] = _told(*key)
    return _known[key]


def _told(server: str | None, *values: Any) -> str | None:
    model = next((f" of {_plain(one)}" for one in values[len(_SAID) :] if one.__class__ is str), "")
    said = [(f"{name}{model}", _plain(one)) for name, one in zip(_SAID, values, strict=False) if _is_said(one)]
    if server:
        said.append((SERVER, _plain(server)))
    return joined(said)


def _is_said(value: Any) -> bool:
    return value.__class__ in (str, int)


def _plain(value: str | int) -> str:
    """On one line, without the signs that part one from the next."""
    return " ".join(str(value)[:_LONGEST].replace(";", ",").replace("=", ":").split())
